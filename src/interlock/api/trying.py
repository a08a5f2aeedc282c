"""The policy asked about what is not: a call that somebody thinks of, and recorded calls under changed rules.

Nothing runs, nothing is looked up or recorded, and nothing comes into force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio

from interlock.api.site import Site
from interlock.core.call import Stop, ToolCall
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.evals.again import Again, Known
from interlock.evals.backtest import Backtest, Candidates, backtest
from interlock.evals.walk import Window
from interlock.grounding.grounding import Asking
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.explain import Explanation, explain
from interlock.policy.facts import Facts, Session, server_resource, shown
from interlock.policy.rules import Source
from interlock.registry.validate import validate

TEXT_MAX: Final = 200_000
"""Characters of a policy that is tried."""

_EXAMPLES: Final = 5


def in_force(site: Site) -> Policy:
    """The policy of rules that decides now."""
    policy = site.plane.plane.policy
    assert isinstance(policy, Policy), "a plane that settings describe has a policy of rules"
    return policy


def explain_call(
    site: Site, run: RunState, tool: str, arguments: str | Mapping[str, Any], principal: Principal
) -> Explanation | Stop:
    """Why a call would be decided so, or why policy would not be asked.

    Args:
        run: What the call would be made in; see `grounding.imagined`.
        arguments: JSON text or an object.
    """
    plane, now_us = site.plane.plane, site.now_us
    call = ToolCall(
        run_id=run.run_id, call_id="call_explain", tool=tool, arguments=arguments, principal=principal
    )  # fmt: skip
    trace = partial(plane.grounding.trace, Asking(run, lambda call: None, now_us))
    valid = validate(call, plane.registry, trace=trace)
    if isinstance(valid, Stop):
        return valid
    facts = Facts(
        valid.call.principal, valid.tool, shown(valid), valid.text, Session(), now_us,
        server_resource(valid.tool.server), valid.traced,
    )  # fmt: skip
    return explain(in_force(site), facts)


def try_policy(store: Store, source: Source, tools: Sequence[Tool], window: Window) -> Backtest:
    """What changed rules would have decided otherwise of recorded calls. Blocks, with a loop of its own: for a thread.

    Raises:
        PolicyError: They do not load.
        LedgerError: The ledger cannot be read.
    """
    policy = Policy([source], tools)

    async def ask() -> Backtest:
        known = Known(tools)
        await known.read(store)
        return await backtest(store, window, Candidates(new=Again(policy, known)), _EXAMPLES)

    return anyio.run(ask)
