"""`interlock policy backtest`: a changed policy over recorded calls, before it is in force."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.ledger_verify import progress
from interlock.cli.output import Exit, Report
from interlock.cli.policy_suggest import policy as policy  # told again: with it come the commands of these files
from interlock.cli.policy_suggest import tools_of_now
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR
from interlock.core.times import local, moment
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, SettingsError
from interlock.evals.again import Again, Known
from interlock.evals.backtest import Backtest, Candidates, backtest
from interlock.evals.chart import WORDS, rows_of, svg, text_bars
from interlock.evals.tally import MEANINGS, VERDICTS, Example, Tally
from interlock.evals.walk import Window, untold
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import read_sources

_SHOWN_MAX = 10
_TEXT_MAX = 80
_MOST = re.compile(r"(\d+(?:\.\d+)?)(%?)")

_EXAMPLE = """\
interlock policy backtest policy-next --since 7d
interlock policy backtest policy-next --since 2026-07-01 --max-changed 5% --max-holds 12 --json
interlock policy backtest policy-next --against policy --svg backtest.svg"""


@command("backtest", policy, example=_EXAMPLE)
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.option("--since", metavar="TIME", help="Calls from then on: 2026-07-01, 2026-07-01T12:00Z, or 90m, 12h, 7d ago.")
@click.option("--until", metavar="TIME", help="Calls before then; written as --since is.")
@click.option("--tenant", metavar="TENANT", help="Of another tenant than yours; for operators and admins of the first.")
@click.option("--against", metavar="OLD", type=click.Path(path_type=Path),
              help="Compare with what this policy says of the same facts, not with what was recorded.")  # fmt: skip
@click.option("--max-changed", metavar="N|N%", help="Exit code 1 where more calls change, or a greater part of them.")
@click.option("--max-holds", type=float, metavar="N", help="Exit code 1 where more of 100 calls would be held.")
@click.option("--max-undecided", metavar="N|N%", help="Exit code 1 where more calls cannot be compared.")
@click.option("--examples", type=click.IntRange(0, 100), default=3, show_default=True, help="Examples of each change.")
@click.option("--svg", "picture", metavar="FILE", type=click.Path(path_type=Path), help="Draw it there; a new file.")
def backtest_(deployment: Deployment, new: Path, against: Path | None, **given: Any) -> Report:
    """What a changed policy would decide otherwise of the calls that were recorded.

    NEW is a folder of *.cedar files, or one of them. Each call is asked about on the facts of then: who, arguments,
    counters, time, and what was looked up. Nothing is dialled, run or written. A call is not compared where a fact that
    the rules read was not recorded, or depends on a decision before it that would be another. Exit code 1 beyond one of
    the --max options, 8 where a chain was changed.
    """
    window = window_of(deployment, given["tenant"], given["since"], given["until"])
    bounds = _Bounds.read(given["max_changed"], given["max_holds"], given["max_undecided"])
    picture: Path | None = given["picture"]
    if picture is not None and picture.exists():
        raise Conflict(f"{picture} is there already", code="backtest.exists", remedy="Name a new file.")
    sources = [read_sources(new), *([] if against is None else [read_sources(against)])]
    recorded(deployment, window.tenant)
    tools = anyio.run(tools_of_now, deployment)
    policies = [Policy(source, tools) for source in sources]
    found = deployment.with_store(partial(_asked, policies, Known(tools), window, given["examples"]))
    tally, broken = found.tally, found.walked.broken
    if picture is not None:
        _write(picture, svg(tally, f"Backtest of {new.name}"))
    beyond = bounds.passed(tally)
    document = {
        "policy": policies[0].digest, "against": policies[1].digest if len(policies) > 1 else None,
        "tenant": window.tenant, **tally.as_json(), "broken": broken, "beyond": beyond, "events": found.walked.events,
    }  # fmt: skip
    code = Exit.TAMPERED if broken else Exit.NO if beyond else Exit.DONE
    return Report(document, list(_page(found, beyond, policies[0], picture)), code)


async def _asked(policies: list[Policy], known: Known, window: Window, examples: int, store: Store) -> Backtest:
    await known.read(store)
    new, *old = (Again(each, known) for each in policies)
    return await backtest(store, window, Candidates(new=new, old=old[0] if old else None), examples)


def recorded(deployment: Deployment, tenant: str) -> None:
    """Make sure that there is anything to look at.

    Raises:
        NotFound: No call of the tenant was ever decided.
    """
    if not deployment.with_store(lambda store: store.rows("authz_decision", {"tenant": tenant}, 1)):
        raise NotFound("no call was decided yet", code="backtest.nothing", remedy="Let the client work for a while.")


def window_of(deployment: Deployment, tenant: str | None, since: str | None, until: str | None) -> Window:
    """Whose calls, and of when.

    Raises:
        NotEntitled: Another tenant's are for operators and admins of the first tenant.
    """
    person = deployment.person
    everywhere = person.tenant == FIRST_TENANT and person.roles & {OPERATOR, ADMIN}
    if tenant is not None and tenant != person.tenant and not everywhere:
        raise NotEntitled(
            f"{person.id!r} is neither {OPERATOR} nor {ADMIN} of the tenant {FIRST_TENANT!r}",
            code="backtest.tenant", remedy="Leave out --tenant, or ask somebody who is.",
        )  # fmt: skip
    now_us = deployment.now_us
    return Window(
        tenant=tenant or person.tenant,
        since_us=None if since is None else moment(since, now_us),
        until_us=None if until is None else moment(until, now_us),
        progress=progress(deployment) or untold,
    )


class _Bounds(NamedTuple):
    """What may be at most; None for any. A part is 0 to 1, a number of calls is whole."""

    changed: tuple[float, bool] | None
    holds: float | None
    undecided: tuple[float, bool] | None

    @classmethod
    def read(cls, changed: str | None, holds: float | None, undecided: str | None) -> _Bounds:
        """As they are typed.

        Raises:
            BadInput: One is no number.
        """
        return cls(_most("--max-changed", changed), holds, _most("--max-undecided", undecided))

    def passed(self, tally: Tally) -> list[str]:
        """What is beyond them, as sentences. With nothing to compare every bound is passed: nothing was shown."""
        said = []
        if any(bound is not None for bound in self) and not tally.compared:
            said.append("no call could be compared")
        left = tally.calls - tally.compared
        for what, count, whole, most in (
            ("change", tally.changed, tally.compared, self.changed),
            ("cannot be compared", left, tally.calls, self.undecided),
        ):
            if most is not None and (count / whole if most[1] and whole else count) > most[0]:
                bound = f"{most[0]:.4g}" if not most[1] else f"{100 * most[0]:.4g} %"
                said.append(f"{count:,} of {whole:,} calls {what}, more than {bound}")
        if self.holds is not None and tally.holds_per_100(1) > self.holds:
            said.append(f"{tally.holds_per_100(1):.1f} of 100 calls would be held, more than {self.holds:g}")
        return said


def _most(option: str, said: str | None) -> tuple[float, bool] | None:
    if said is None:
        return None
    found = _MOST.fullmatch(said.strip())
    if found is None:
        raise BadInput(f"{option}: {said!r} is no number", code="cli.usage", remedy="Write 20 or 5%.")
    return (float(found[1]) / 100, True) if found[2] else (float(found[1]), False)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}", code="backtest.write", remedy="Name another.") from None


def _page(found: Backtest, beyond: list[str], policy: Policy, picture: Path | None) -> Iterator[RenderableType]:
    tally = found.tally
    share = f" ({tally.share(tally.changed):.1%})" if tally.compared else ""
    style = "wait" if tally.changed else "good"
    yield told(f"{tally.changed:,} of {tally.compared:,} compared calls would be decided otherwise{share}.", style)
    yield heading("From what to what")
    yield Listing(
        ("was", *WORDS.values()),
        [(WORDS[was], *(f"{tally.matrix[was, now]:,}" for now in VERDICTS)) for was in VERDICTS],
        empty="",
    )
    _, others = rows_of(tally)
    if others:
        yield told("")
        yield from (told(line) for line in text_bars(others))
    yield told("")
    yield fields(
        (
            ("holds per 100 calls", f"{tally.holds_per_100(0):.1f} → {tally.holds_per_100(1):.1f}"),
            *((("same verdict, other terms", f"{tally.terms:,} (who releases, until when, a second reader)"),)
              if tally.terms else ()),
            *((("behind a change in its run", f"{tally.after:,}, taken as made: a model might have gone on otherwise"),)
              if tally.after else ()),
        )
    )  # fmt: skip
    yield from _uncompared(tally)
    yield from _changes(tally, policy)
    for chain, seq in sorted(found.walked.broken.items()):
        yield told(f"The record of {chain} was changed at event {seq}: run `interlock ledger verify`.", "alarm")
    if picture is not None:
        yield note(f"Drawn: {picture}.")
    yield from (told(f"Too much: {said}.", "bad") for said in beyond)


def _uncompared(tally: Tally) -> Iterator[RenderableType]:
    rows = [("diverged", f"{tally.diverged:,}", MEANINGS["diverged"])] if tally.diverged else []
    rows += [(why, f"{count:,}", MEANINGS[why]) for why, count in tally.undecided.most_common()]
    if rows:
        yield heading("Not compared")
        yield Listing(("why", "calls", "means"), rows, empty="")
    if tally.missing:
        yield heading("Facts that were not there")
        yield fields((path, f"{count:,}") for path, count in tally.missing.most_common(_SHOWN_MAX))


def _changes(tally: Tally, policy: Policy) -> Iterator[RenderableType]:
    if tally.tools:
        yield heading("By tool")
        rows = [
            (tool, WORDS[was], WORDS[now], f"{count:,}")
            for (tool, was, now), count in tally.tools.most_common(_SHOWN_MAX)
        ]
        yield Listing(("tool", "was", "now", "calls"), rows, empty="")
        places = {rule.rule_id: rule.place for rule in policy.rules}
        yield heading("Decided by")
        yield Listing(
            ("rule", "place", "calls"),
            [
                (rule.removeprefix("rule:"), places.get(rule.removeprefix("rule:"), "–"), f"{count:,}")
                for rule, count in tally.rules.most_common(_SHOWN_MAX)
            ],
            empty="",
        )
    if any(tally.examples.values()):
        yield heading("Examples")
        yield Listing(
            ("was", "now", "tool", "call", "when", "rules then", "rules now", "arguments"),
            [_row(change, example) for change, kept in sorted(tally.examples.items()) for example in kept],
            empty="",
        )


def _row(change: tuple[str, str], example: Example) -> tuple[str, ...]:
    asked = example.asked
    arguments = json.dumps(asked.arguments, ensure_ascii=False)
    return (
        WORDS[change[0]], WORDS[change[1]], asked.name, asked.call_id, local(asked.at_us),
        ", ".join(each.removeprefix("rule:") for each in example.was),
        ", ".join(each.removeprefix("rule:") for each in example.now),
        arguments if len(arguments) <= _TEXT_MAX else arguments[:_TEXT_MAX] + "…",
    )  # fmt: skip
