"""The inbox: everything that waits for a person, the most dangerous first, each with a way to what one does next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from interlock.api.asking import who_of
from interlock.api.problem import status_of
from interlock.api.who import Who
from interlock.approvals.decide import Answer
from interlock.approvals.people import Standing
from interlock.console.forms import Form, shown_at, viewed_ms
from interlock.console.view import View
from interlock.core.tool import Effect
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.gist import Gist, gists
from interlock.inbox import Item, Rank, page_of
from interlock.inbox import inbox as waiting
from interlock.ledger.pages import VALUES_MAX

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ON_A_PAGE: Final = 50

KINDS: Final = {
    "held": "held", "unknown": "unknown", "dead_letter": "given up on", "not_undone": "not undone", "stuck": "stuck",
    "rolled_back": "rolled back",
}  # fmt: skip
"""Kinds of what waits, as they are said."""

_DO: Final = {
    "held": "Look and decide", "unknown": "Say what became of it", "dead_letter": "Retry or leave it",
    "not_undone": "See its saga", "stuck": "See its saga", "rolled_back": "See the versions",
}  # fmt: skip

_SEVERAL: Final = "several"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to see of the inbox.

    Attributes:
        kind, effect: The one that is wanted; empty for all.
        mine: Only what one may see to oneself.
        run_id: A run whose items are wanted one by one; empty for all, summed up.
        like: A request of a group of equal ones, which are wanted one by one; empty for none.
        after: Where the page before ended; None for the first.
    """

    kind: str = ""
    effect: str = ""
    mine: bool = False
    run_id: str = ""
    like: str = ""
    after: Rank | None = None

    @property
    def opened(self) -> bool:
        """Whether a summary was opened."""
        return bool(self.run_id or self.like)

    def address(self, **more: str) -> str:
        """The address of the same inbox, changed in this."""
        said = {"kind": self.kind, "effect": self.effect, "mine": "1" if self.mine else "", "run": self.run_id,
                "like": self.like, **more}  # fmt: skip
        return f"/?{urlencode({name: text for name, text in said.items() if text})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item with where it leads.

    Attributes:
        item: The item.
        count: For how many it stands.
        at: The page on which one sees to it.
        do: What one does there.
        about: What tells it from the others, for those who hear the page.
        gist: What its call is about; None where that is not one call, or not known.
        bound: What its rejection is bound to; empty where it cannot be rejected here.
    """

    item: Item
    count: int
    at: str
    do: str
    about: str
    gist: Gist | None = None
    bound: str = ""


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the inbox."""
    pages = _Pages(view)
    return [Route("/", pages.show), Route("/", pages.reject, methods=["POST"])]


class _Pages:
    def __init__(self, view: View) -> None:
        self._view = view
        self._plane = view.site.plane

    async def show(self, request: Request) -> Response:
        """What waits."""
        who_of(request).require("see")
        return await self._page(request, _asked(request.query_params))

    async def reject(self, request: Request) -> Response:
        """Reject the requests that are ticked, each by its own digest, with the same words.

        Rejecting several at once lets nothing run. There is no way to approve several: what is approved is bytes that
        somebody has looked at.
        """
        who, form, asked = who_of(request), Form(request), _asked(request.query_params)
        who.require("decide")
        rejected = 0
        try:
            if not (ticked := form.meant().many("reject")):
                raise BadInput("nothing is ticked", code="console.several", remedy="Tick what you reject.")
            viewed = viewed_ms(self._view.site, who, _SEVERAL, form)
            for each in ticked:
                approval_id, _, bound = each.partition("|")
                digest, _, nonce = bound.partition("|")
                said = Answer(
                    decision="reject", digest=digest, nonce=nonce, words=form.one("words"), viewed_ms=viewed
                )  # fmt: skip
                await self._plane.answer(approval_id, said, who.principal)
                rejected += 1
        except InterlockError as error:
            return await self._page(request, asked, error, rejected)
        return RedirectResponse(asked.address(), 303)

    async def _page(
        self, request: Request, asked: Asked, error: InterlockError | None = None, rejected: int = 0
    ) -> Response:
        who, site = who_of(request), self._view.site
        standing = await self._plane.plane.approvals.entitlement.standing(who.principal, site.now_us)
        found = await self._items(who, asked)
        wanted = [item for item in found if _wanted(item, asked, who, standing)]
        before = sum(1 for item in wanted if asked.after is not None and item.rank <= asked.after)
        page, last = page_of(wanted, ON_A_PAGE, asked.after)
        lines = await gists(self._plane.store, who.tenant, page)
        rows = [replace(_row(item, asked), gist=lines.get((item.run_id, item.ids[0]))) for item in page]
        if asked.opened and who.may("decide"):
            rows = [await self._bound(row, who, standing) for row in rows]
        more = "" if last is None else asked.address(after=_written(last))
        return self._view.page(
            request, "inbox.html", 200 if error is None else status_of(error), rows=rows, more=more,
            first=asked.address(), asked=asked, kinds=KINDS, effects=[effect.value for effect in Effect],
            waiting=sum(len(item.ids) for item in wanted), all_waiting=sum(len(item.ids) for item in found),
            before=before, live="approval call run", error=error, rejected=rejected,
            shown=shown_at(site, who, _SEVERAL),
        )  # fmt: skip

    async def _bound(self, row: Row, who: Who, standing: Standing) -> Row:
        """The row with what its rejection would be bound to, where they may reject it."""
        item = row.item
        if item.kind != "held" or not _is_mine(item, who, standing):
            return row
        request = (await self._plane.approval(item.ids[0], who.tenant)).request
        return replace(row, bound=f"{item.ids[0]}|{request['approval']}|{request['nonce']}")

    async def _items(self, who: Who, asked: Asked) -> list[Item]:
        if not asked.like:
            if asked.run_id:
                return await waiting(self._plane.store, who.tenant, self._view.site.now_us, asked.run_id)
            return await self._plane.inbox(who.tenant)
        groups = await self._plane.inbox(who.tenant)
        equal = next((item for item in groups if item.why == "equal" and asked.like in item.ids), None)
        if equal is None:
            return [item for item in groups if asked.like in item.ids]
        where = {"tenant": who.tenant, "status": "pending", "approval_id": equal.ids[:VALUES_MAX]}
        page = await self._plane.store.page("approval", where, limit=VALUES_MAX)
        return sorted((_one(equal, row) for row in page.rows), key=lambda item: item.rank)


def _one(equal: Item, row: dict[str, Any]) -> Item:
    return Item(
        kind="held", tool=equal.tool, effect=equal.effect, subject=row["subject"] or "", run_id=row["run_id"],
        ids=(row["approval_id"],), since_us=row["requested_us"], until_us=row["expires_us"], groups=equal.groups,
        command=f"interlock approvals show {row['approval_id']}",
    )  # fmt: skip


def _asked(said: Any) -> Asked:
    return Asked(
        kind=said.get("kind", "") if said.get("kind", "") in KINDS else "",
        effect=said.get("effect", "") if said.get("effect", "") in set(Effect) else "",
        mine=said.get("mine", "") == "1", run_id=said.get("run", ""), like=said.get("like", ""),
        after=_read(said.get("after", "")),
    )  # fmt: skip


def _wanted(item: Item, asked: Asked, who: Who, standing: Standing) -> bool:
    return (
        asked.kind in ("", item.kind)
        and asked.effect in ("", item.effect)
        and (not asked.mine or _is_mine(item, who, standing))
    )


def _is_mine(item: Item, who: Who, standing: Standing) -> bool:
    """Whether they may see to it: by a group of theirs or one that is lent, or as operators; never their own call."""
    if not item.groups:
        return who.may("operate")
    return item.subject != who.principal.id and bool(standing.roles_for(item.groups)[0])


def _row(item: Item, asked: Asked) -> Row:
    first, run = quote(item.ids[0], safe=""), quote(item.run_id, safe="")
    if item.why == "flood":
        return Row(item=item, count=len(item.ids), at=asked.address(run=item.run_id, kind=item.kind),
                   do="Open all of them", about=item.run_id)  # fmt: skip
    if item.why == "equal":
        return Row(item=item, count=len(item.ids), at=asked.address(like=item.ids[0]), do="Open all of them",
                   about=item.ids[0])  # fmt: skip
    at = {
        "held": f"/approvals/{first}", "unknown": f"/calls/{run}/{first}", "dead_letter": f"/calls/{run}/{first}",
        "not_undone": f"/runs/{run}", "stuck": f"/runs/{run}", "rolled_back": "/tools",
    }[item.kind]  # fmt: skip
    return Row(item=item, count=1, at=at, do=_DO[item.kind], about=item.ids[0])


def _written(rank: Rank) -> str:
    return f"{rank[0]}~{rank[1]}~{rank[2]}"


def _read(said: str) -> Rank | None:
    """The rank that a link of ours says; None for none.

    Raises:
        BadInput: It says none.
    """
    if not said:
        return None
    effect, _, rest = said.partition("~")
    since, _, name = rest.partition("~")
    try:
        return int(effect), int(since), name
    except ValueError:
        raise BadInput("after: no place in the inbox", code="console.after", remedy="Begin at the inbox.") from None
