"""What came of suites of golden cases, kept: one chain for each tenant, one event for each result.

No word of a run stands here, but for the names that a suite gives itself and its cases: what passed, what it took, and
under which policies. The event is evidence like any other: sealed, proved, and erased only with a record of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import NotFound
from interlock.ledger.store import Append, Store

PLAYED, RECORDED = "played", "recorded"
"""How a suite was held: its cases were played, or runs of the ledger were read."""

CASES_MAX: Final = 1_000
"""Cases of a result that is kept."""


def eval_chain(tenant: str) -> str:
    """Chain of what came of a tenant's suites."""
    return "evals/" + tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedCase:
    """What came of one case.

    Attributes:
        name: Its name.
        trials, passed: How many there were, and how many of them passed.
        failed: Kind of what was not as it must be (`tools`, `arguments`, `answer`, …) to in how many trials.
        runs: Ids of recorded runs that did not pass, at most 10.
        taken: What all trials together took, by name; None of what nobody knows of any.
    """

    name: str
    trials: int
    passed: int
    failed: Mapping[str, int]
    runs: Sequence[str]
    taken: Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What came of a suite.

    Attributes:
        suite: What it is called.
        suite_digest: SHA-256 of what it says, however it is written.
        how: `played` or `recorded`.
        since_us: Of recorded runs, those that began then or later; 0 for all.
        trials, passed: How many there were, and how many of them passed.
        pass_rate: Part of the trials that must pass.
        lost: Cases that were lost against the baseline; None where it was held against none.
        met: Whether that much passed, and no more was lost than may be.
        shares: Figure to part and whole.
        taken: What a trial takes, by name: `p50`, `p95`, `sum`, and `of` how many.
        agents, models, policies: Names, and digests, that the trials ran by; at most 20 of each, those of most trials.
        cases: In the order of the suite.
    """

    suite: str
    suite_digest: str
    how: str
    since_us: int
    trials: int
    passed: int
    pass_rate: float
    lost: Sequence[str] | None
    met: bool
    shares: Mapping[str, Sequence[int]]
    taken: Mapping[str, Mapping[str, int | None]]
    agents: Sequence[str]
    models: Sequence[str]
    policies: Sequence[str]
    cases: Sequence[EvaluatedCase]


class KeptEval(NamedTuple):
    """A result in the ledger.

    Attributes:
        eval_id: `eval_` and 32 hexadecimal digits.
        principal_id: Who had it kept.
        at_us: When.
        chain, seq: Which event it is.
        said: What came of the suite.
    """

    eval_id: str
    principal_id: str
    at_us: int
    chain: str
    seq: int
    said: Evaluated


async def keep_eval(store: Store, eval_id: str, person: Principal, evaluated: Evaluated) -> KeptEval:
    """Keep a result, for the tenant of whoever has it kept.

    Raises:
        LedgerError: It could not be written.
    """
    fact = Fact(Kind.EVAL_RECORDED, asdict(evaluated), eval_id, principal_id=person.id)
    [event] = await store.append(Append(eval_chain(person.tenant), person.tenant, [fact]))
    return _read(event)


async def find_eval(store: Store, tenant: str, eval_id: str) -> KeptEval:
    """A result of this tenant.

    Raises:
        NotFound: There is none, or it was erased.
    """
    rows = await store.rows("eval", {"tenant": tenant, "eval_id": eval_id}, 1)
    events = await store.read(eval_chain(tenant), rows[0]["seq"] - 1, 1) if rows else []
    if not events or not events[0].payload:
        raise NotFound(f"no eval {eval_id!r}", code="eval.not_found", remedy="List evals with `interlock audit eval`.")
    return _read(events[0])


def _read(event: Event) -> KeptEval:
    body: dict[str, Any] = event.fact.body
    said = Evaluated(**{**body, "cases": tuple(EvaluatedCase(**case) for case in body["cases"])})
    return KeptEval(event.fact.call_id, event.fact.principal_id, event.at_us, event.chain, event.seq, said)
