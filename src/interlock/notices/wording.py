"""A notice in words. What stems from tools and callers is made inert: it is never markup, a link or a line end."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from interlock.core.clock import iso
from interlock.core.principal import FIRST_TENANT
from interlock.core.visible import one_line
from interlock.notices.notice import Notice, NoticeKind

CUT_AT: Final = 120
"""Characters of a name from elsewhere that are shown."""

SAYS_CUT_AT: Final = 300
"""The same of what an alert says, in which such names stand."""

PLACE: Final = "{approval_id}"
"""What stands in a link for the request."""

NEVER_HERE: Final = "Nobody decides by answering this message."

_DOT: Final = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})")
"""A dot after which a name of a domain could follow: programs that show text make links of such names."""

_TITLES: Final = {
    NoticeKind.REQUESTED: "Approval needed: {tool}",
    NoticeKind.MANY: "Approvals needed: {count} of one run",
    NoticeKind.EXPIRES: "Approval about to expire: {tool}",
    NoticeKind.UNKNOWN: "Nobody knows what became of {tool}",
    NoticeKind.DEAD: "Given up on: {tool}",
    NoticeKind.NOT_UNDONE: "Could not be undone: {tool}",
    NoticeKind.ALERT: "Out of the ordinary: {says}",
    NoticeKind.OVER: "Over: {says}",
    NoticeKind.TEST: "A test of Interlock's notices: nobody waits",
}
_COMMANDS: Final = {
    NoticeKind.REQUESTED: "interlock approvals show {ref}",
    NoticeKind.MANY: "interlock inbox --run {run}",
    NoticeKind.EXPIRES: "interlock approvals show {ref}",
    NoticeKind.UNKNOWN: "interlock calls show {ref}",
    NoticeKind.DEAD: "interlock calls show {ref}",
    NoticeKind.NOT_UNDONE: "interlock saga show {run}",
    NoticeKind.ALERT: "interlock alerts",
    NoticeKind.OVER: "interlock alerts",
    NoticeKind.TEST: "interlock notify status",
}
_ABOUT_APPROVALS: Final = (NoticeKind.REQUESTED, NoticeKind.EXPIRES)


class Worded(NamedTuple):
    """A notice as any channel can show it.

    Attributes:
        title: One line.
        facts: Names and values, each one line.
        command: What opens it on a command line.
        link: What opens it in a browser; empty where the settings name none. Made of the settings and an id of ours.
    """

    title: str
    facts: list[tuple[str, str]]
    command: str
    link: str


def worded(notice: Notice, link: str) -> Worded:
    """Say a notice.

    Args:
        link: The settings' template, with `{approval_id}` in it; empty for none.
    """
    says = inert(notice.says, SAYS_CUT_AT)
    title = _TITLES[notice.kind].format(tool=inert(notice.tool) or "a call", count=notice.count, says=says)
    if notice.effect:
        title = f"{title} ({inert(notice.effect)})"
    deciders = ", ".join(inert(group) for group in notice.groups)
    if notice.quorum > 1:
        deciders = f"{notice.quorum} of {deciders}"
    facts = [
        ("tool", inert(notice.tool)), ("effect", inert(notice.effect)), ("on behalf of", inert(notice.subject)),
        ("may decide", deciders), ("until", "" if notice.expires_us is None else iso(notice.expires_us)),
        ("run", inert(notice.run_id)), ("tenant", "" if notice.tenant == FIRST_TENANT else inert(notice.tenant)),
    ]  # fmt: skip
    command = _COMMANDS[notice.kind].format(ref=inert(notice.ref), run=inert(notice.run_id))
    return Worded(title, [(name, said) for name, said in facts if said], command, link_to(notice, link))


def link_to(notice: Notice, link: str) -> str:
    """Where a browser finds what a notice is about; empty where there is no such place."""
    return link.replace(PLACE, quote(notice.ref, safe="")) if link and notice.kind in _ABOUT_APPROVALS else ""


def inert(text: str, cut_at: int = CUT_AT) -> str:
    """Text from elsewhere on one line, with what hides as escapes, at most so long, and nothing to click on.

    Nor is it an encoded word: the email package decodes those in a subject, and a line end in one begins a header.
    """
    shown = one_line(text)
    if len(shown) > cut_at:
        shown = shown[: cut_at - 1] + "…"
    return _DOT.sub("[.]", shown.replace("://", "[:]//").replace("=?", "=[?]"))
