"""A changed policy over the recorded calls, from the console: the text is pasted, and nothing of it is put in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from interlock.api.asking import who_of
from interlock.console.forms import Form
from interlock.console.policies import in_force
from interlock.console.underway import Tell, underway
from interlock.console.view import View
from interlock.core.times import moment
from interlock.core.tool import Tool
from interlock.errors import MissingExtra
from interlock.evals.again import Again, Known
from interlock.evals.backtest import Backtest, Candidates, backtest
from interlock.evals.tally import MEANINGS, VERDICTS
from interlock.evals.walk import Window
from interlock.ledger.store import Store
from interlock.markup.chart import Row, bars
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

NAME: Final = "pasted.cedar"
"""What the text is called where it is wrong."""

_TEXT_MAX: Final = 200_000
_EXAMPLES: Final = 5
_WORDS: Final = {"allow": "allow", "require_approval": "hold", "deny": "deny"}


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of the backtest."""
    site = view.site
    one = anyio.CapacityLimiter(1)  # it takes a core: a second one waits

    async def asked(request: Request) -> Response:
        who_of(request).require("see")
        return view.page(request, "backtest.html", text=_text(in_force(view)), since="7d")

    async def done(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        form = Form(request)
        text, since = form.raw("text", _TEXT_MAX), form.text("since", 40)
        since_us, tools = moment(since, site.now_us), site.plane.plane.registry.tools

        async def work(tell: Tell) -> dict[str, Any]:
            window = Window(tenant=who.tenant, since_us=since_us, progress=tell)
            ask = partial(_in_a_loop_of_its_own, site.store, text, tools, window)
            return _shown(await anyio.to_thread.run_sync(ask, limiter=one))

        return underway(view, request, ("backtest_under_way.html", "backtested.html"), work)

    return [Route("/policies/backtest", asked), Route("/policies/backtest", done, methods=["POST"])]


def _in_a_loop_of_its_own(store: Store, text: str, tools: Sequence[Tool], window: Window) -> Backtest:
    """Do it in this thread, so that the pages and calls of everybody else are answered meanwhile."""
    policy = Policy([Source(NAME, text)], tools)

    async def ask() -> Backtest:
        known = Known(tools)
        await known.read(store)
        return await backtest(store, window, Candidates(new=Again(policy, known)), _EXAMPLES)

    return anyio.run(ask)


def _shown(found: Backtest) -> dict[str, Any]:
    tally = found.tally
    rows = [
        Row(f"{_WORDS[was]} → {_WORDS[now]}", count, f"{count:,}")
        for was in VERDICTS
        for now in VERDICTS
        if (count := tally.matrix[was, now])
    ]
    beside = (("diverged", tally.diverged), ("undecidable", tally.undecidable))
    rows += [Row(name, count, f"{count:,}") for name, count in beside if count]
    examples = [(f"{_WORDS[was]} → {_WORDS[now]}", each.as_json())
                for (was, now), some in tally.examples.items() for each in some]  # fmt: skip
    return {
        "tally": tally, "broken": found.walked.broken, "picture": bars("What it was and what it would be", rows),
        "examples": examples, "meanings": MEANINGS,
    }  # fmt: skip


def _text(policy: Policy) -> str:
    """The rules in force, to begin with."""
    return "\n\n".join(rule.text for rule in policy.rules)
