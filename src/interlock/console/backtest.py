"""A changed policy over the recorded calls, from the console: the text is pasted, and nothing of it is put in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from interlock.api.asking import who_of
from interlock.api.trying import TEXT_MAX, in_force, try_policy
from interlock.console.forms import Form
from interlock.console.underway import Tell, underway
from interlock.console.view import View
from interlock.core.times import moment
from interlock.errors import MissingExtra
from interlock.evals.backtest import Backtest
from interlock.evals.chart import WORDS
from interlock.evals.tally import MEANINGS, VERDICTS
from interlock.evals.walk import Window
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


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of the backtest."""
    site = view.site

    async def asked(request: Request) -> Response:
        who_of(request).require("see")
        return view.page(request, "backtest.html", text=_text(in_force(site)), since="7d")

    async def done(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        form = Form(request)
        text, since = form.raw("text", TEXT_MAX), form.text("since", 40)
        since_us, tools = moment(since, site.now_us), site.plane.plane.registry.tools

        async def work(tell: Tell) -> dict[str, Any]:
            window = Window(tenant=who.tenant, since_us=since_us, progress=tell)
            ask = partial(try_policy, site.store, Source(NAME, text), tools, window)
            return _shown(await site.heavy.done(ask))

        return underway(view, request, ("backtest_under_way.html", "backtested.html"), work)

    return [Route("/policies/backtest", asked), Route("/policies/backtest", done, methods=["POST"])]


def _shown(found: Backtest) -> dict[str, Any]:
    tally = found.tally
    rows = [
        Row(f"{WORDS[was]} → {WORDS[now]}", count, f"{count:,}")
        for was in VERDICTS
        for now in VERDICTS
        if (count := tally.matrix[was, now])
    ]
    beside = (("diverged", tally.diverged), ("undecidable", tally.undecidable))
    rows += [Row(name, count, f"{count:,}") for name, count in beside if count]
    examples = [(f"{WORDS[was]} → {WORDS[now]}", each.as_json())
                for (was, now), some in tally.examples.items() for each in some]  # fmt: skip
    return {
        "tally": tally, "broken": found.walked.broken, "picture": bars("What it was and what it would be", rows),
        "examples": examples, "meanings": MEANINGS,
    }  # fmt: skip


def _text(policy: Policy) -> str:
    """The rules in force, to begin with."""
    return "\n\n".join(rule.text for rule in policy.rules)
