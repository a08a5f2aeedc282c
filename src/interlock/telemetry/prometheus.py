"""The counts since the process began, and how things stand, as Prometheus reads them.

    body = exposition(totals.rows(), now)       # bytes, of the type `CONTENT_TYPE`

Every figure is read from the ledger, which all workers share: each tells the whole deployment's, so look at one of them
(`instance`), and add nothing up over them. Only `interlock_breaker_state`, `interlock_dependency_up` and
`interlock_measured_lag_events` are of one process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from interlock.errors import MissingExtra
from interlock.telemetry.measures_fold import Key
from interlock.telemetry.measures_times import PER_DECADE, counts_of, end_of
from interlock.telemetry.measures_totals import OTHER, Row
from interlock.telemetry.present import Present

try:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
    from prometheus_client.registry import Collector
except ImportError:
    raise MissingExtra("metrics for Prometheus need an extra", remedy="Install `interlock[server]`.") from None

__all__ = ["CONTENT_TYPE", "METRICS", "exposition"]

MICRO: Final = 1e-6

_WAITS: Final = range(2 * PER_DECADE, 12 * PER_DECADE, PER_DECADE // 3)
"""Steps at which the buckets of a part end: from 100 µs to five days, three to a decade."""

_TOOLS: Final = range(3 * PER_DECADE, 8 * PER_DECADE + 1, PER_DECADE // 3)
"""The same of a tool: from 1 ms to 100 s."""


class Counted(NamedTuple):
    """A counter: which counts it is of.

    Attributes:
        says: Help text.
        what: Name of the counts (see `measures_totals`), to the labels that it gives fixed.
        labels: Names of the labels; one for each part of the key that is named.
        parts: Which parts of the key they are; the name of the counts is none of them.
        scale: What one is, of the unit in the name.
        without: First part of the keys that are left out.
    """

    says: str
    what: dict[str, tuple[str, ...]]
    labels: tuple[str, ...]
    parts: tuple[int, ...]
    scale: float = 1
    without: str = ""


_COUNTERS: Final = {
    "interlock_proposed_calls": Counted(
        "Calls that were proposed.", {"proposed": ()}, ("tool", "server", "effect"), (0, 1, 2)
    ),
    "interlock_calls": Counted(
        "Answers that calls were given; one that was held and then done counts twice.", {"ended": ()},
        ("tool", "server", "effect", "outcome"), (1, 2, 3, 0),
    ),
    "interlock_told": Counted(
        "What models were told of calls that were not done.", {"ended": ()}, ("outcome", "gate", "code"), (0, 4, 5),
        without="done",
    ),
    "interlock_errors": Counted(
        "Calls that were not done, by tool and code.", {"ended": ()}, ("tool", "outcome", "code"), (1, 0, 5),
        without="done",
    ),
    "interlock_decisions": Counted(
        "Decisions of policy, once under each reason.", {"decided": ()}, ("verdict", "reason"), (0, 1)
    ),
    "interlock_cached_calls": Counted("Calls answered from the cache.", {"cached": ()}, ("tool",), (0,)),
    "interlock_model_turns": Counted("Turns of models.", {"turns": ()}, ("model", "agent"), (0, 1)),
    "interlock_tokens": Counted(
        "Tokens of models.", {"input": ("input",), "output": ("output",)}, ("model", "agent", "direction"), (0, 1)
    ),
    "interlock_cost_usd": Counted(
        "What models cost by the agents' prices.", {"micro_usd": ()}, ("model", "agent"), (0, 1), MICRO
    ),
    "interlock_verification_cost_usd": Counted(
        "What verifying calls cost.", {"verify_micro_usd": ()}, ("tool",), (0,), MICRO
    ),
    "interlock_tool_spent": Counted(
        "What calls spent by their tools' declarations, in millionths of a dollar or another unit.", {"spent": ()},
        ("tool", "unit"), (0, 1),
    ),
    "interlock_tool_offered": Counted("Turns of models with the tool on offer.", {"offered": ()}, ("tool",), (0,)),
    "interlock_tool_chosen": Counted("Calls that models chose of the tool.", {"chosen": ()}, ("tool",), (0,)),
    "interlock_stumbles": Counted(
        "Streaks of failed or refused calls of a tool in a run.", {"stumbled": ()}, ("tool",), (0,)
    ),
    "interlock_recoveries": Counted(
        "Such streaks that ended with a call that was done.", {"recovered": ()}, ("tool",), (0,)
    ),
    "interlock_approvals_requested": Counted(
        "Requests for approval.", {"requested": ()}, ("tool", "effect"), (0, 1)
    ),
    "interlock_approvals_answered": Counted("Answers by people.", {"answered": ()}, ("answer",), (0,)),
    "interlock_approvals_over": Counted("Requests that ended without an answer.", {"over": ()}, ("how",), (0,)),
    "interlock_granted_calls": Counted("Calls that a grant released.", {"granted": ()}, ("tool",), (0,)),
    "interlock_runs": Counted("Runs that started, finished or were cancelled.", {"run": ()}, ("how", "end"), (0, 1)),
    "interlock_dead_letters": Counted("Writes that were given up on.", {"dead": ()}, ("tool",), (0,)),
    "interlock_notices": Counted("Notices.", {"notice": ()}, ("how", "channel"), (0, 1)),
}  # fmt: skip
"""Every counter by its name, which the exposition ends with `_total`."""

_HISTOGRAMS: Final = {
    "interlock_call_seconds": (
        "How long a part took: model (a turn), tool (an execution), gates, person (from a request to an answer).",
        "part", _WAITS,
    ),
    "interlock_tool_seconds": ("How long executions of a tool took.", "tool", _TOOLS),
}  # fmt: skip

_GAUGES: Final = {
    "interlock_held": ("Requests for approval that wait.", ("tenant",)),
    "interlock_unknown": ("Calls of which nobody knows what became of them.", ("tenant",)),
    "interlock_budget_used_ratio": ("Spent and reserved part of a budget.", ("tenant", "budget", "unit", "whose")),
    "interlock_alerts": ("Alerts that stand.", ("tenant", "rule")),
    "interlock_breaker_state": ("1 for the state that a tool's breaker is in.", ("server", "tool", "version", "state")),
    "interlock_dependency_up": ("0 for what tools depend on and does not answer.", ("dependency",)),
    "interlock_ledger_events": ("Events of the ledger.", ()),
    "interlock_unsealed_events": ("Events that no signed checkpoint is over as yet.", ()),
    "interlock_measured_lag_events": ("Events that these figures do not count as yet.", ()),
}

METRICS: Final = frozenset(
    {*_GAUGES, *(name + "_total" for name in _COUNTERS)}
    | {name + end for name in _HISTOGRAMS for end in ("_bucket", "_count", "_sum")}
)
"""Name of every series, as queries have it."""


def exposition(rows: Iterable[Row], now: Present, tenants: frozenset[str] | None = None) -> bytes:
    """What Prometheus is told.

    Args:
        rows: Of these tenants; see `Totals.rows`.
        tenants: Only what is of these; None for all, and for what is of the deployment.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(lambda: _metrics(rows, now, tenants)))
    told: bytes = generate_latest(registry)
    return told


class _Once(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are unique here, and to ask would be to collect."""
        return ()


def _metrics(rows: Iterable[Row], now: Present, tenants: frozenset[str] | None) -> Iterator[Metric]:
    by_what: dict[str, list[tuple[str, Key, int]]] = defaultdict(list)
    for tenant, key, count in rows:
        by_what[key[0]].append((tenant, key[1:], count))
    for name, counted in _COUNTERS.items():
        yield _counter(name, counted, by_what)
    yield _histogram("interlock_call_seconds", by_what, lambda key: str(key[0]))
    yield _histogram("interlock_tool_seconds", by_what, lambda key: str(key[1]) if key[0] == "tool" else "")
    yield from _gauges(now, tenants)


def _counter(name: str, counted: Counted, by_what: dict[str, list[tuple[str, Key, int]]]) -> Metric:
    metric = CounterMetricFamily(name, counted.says, labels=("tenant", *counted.labels))
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    for what, fixed in counted.what.items():
        for tenant, key, count in by_what[what]:
            if counted.without and key[0] == counted.without:
                continue
            sums[(tenant, *(str(key[part]) for part in counted.parts), *fixed)] += count
    for labels, count in sums.items():
        metric.add_metric(labels, count * counted.scale)
    return metric


def _histogram(name: str, by_what: dict[str, list[tuple[str, Key, int]]], label_of: Callable[[Key], str]) -> Metric:
    says, label, ends = _HISTOGRAMS[name]
    metric = HistogramMetricFamily(name, says, labels=("tenant", label))
    steps: dict[tuple[str, str], int] = defaultdict(int)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for what, into in (("took", steps), ("took_us", sums)):
        for tenant, key, count in by_what[what]:
            if of := label_of(key):
                into[(tenant, of)] += count
    for labels, packed in steps.items():
        counts = counts_of(packed)
        buckets = [(f"{end_of(end) * MICRO:.6g}", sum(counts[: end + 1])) for end in ends]
        metric.add_metric(labels, [*buckets, ("+Inf", sum(counts))], sums[labels] * MICRO)
    return metric


def _gauges(now: Present, tenants: frozenset[str] | None) -> Iterator[Metric]:
    def told(name: str, rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        says, labels = _GAUGES[name]
        metric = GaugeMetricFamily(name, says, labels=labels)
        for values, value in rows:
            if tenants is None or (labels[:1] == ("tenant",) and values[0] in tenants):
                metric.add_metric(values, value)
        return metric

    yield told("interlock_held", (((tenant,), count) for tenant, count in now.held.items()))
    yield told("interlock_unknown", (((tenant,), count) for tenant, count in now.unknown.items()))
    yield told("interlock_budget_used_ratio", _budgets(now))
    yield told("interlock_alerts", now.alerts.items())
    yield told("interlock_breaker_state", (((*tool, state), 1) for tool, state in now.breakers.items()))
    yield told("interlock_dependency_up", (((name,), 0) for name in now.down))
    yield told("interlock_ledger_events", [((), now.position)])
    yield told("interlock_unsealed_events", [((), now.position - now.sealed)] if now.sealed is not None else [])
    yield told("interlock_measured_lag_events", [((), max(0, now.position - now.measured))])


def _budgets(now: Present) -> Iterator[tuple[tuple[str, ...], float]]:
    """The fullest row of each budget: how many principals and runs have one of their own has no end."""
    fullest: dict[tuple[str, ...], float] = {}
    for tenant, uses in now.budgets.items():
        for use in uses:
            whose = "+".join(sorted(use.whose)) or "tenant"
            labels = (tenant, use.name or OTHER, use.unit, whose)
            share = (use.spent + use.reserved) / use.most if use.most else 1.0
            fullest[labels] = max(fullest.get(labels, 0.0), share)
    return iter(fullest.items())
