"""A result as one page of HTML: no script, nothing from outside, light and dark, to be read with the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interlock.evals.compare import Comparison
from interlock.evals.evaluate import Result
from interlock.evals.page_chart import Bar, bars, changes
from interlock.evals.suite import Case
from interlock.evals.trial import Trial, faults_by_outcome
from interlock.markup.page import whole_page, wide_table
from interlock.markup.tags import Markup, tag
from interlock.verification.calibrate import Share

SHARES = {
    "passed": "Trials passed",
    "tool_selection": "Right tools",
    "calls": "Expected calls made",
    "arguments": "Right arguments",
    "facts": "Facts in answers",
    "writes_expected": "Writes expected",
    "judged_right": "Passed by the judge",
    "recovered": "Passed despite faults",
}
"""The figures that are shares, in their words."""

TAKEN = {"steps": "Steps", "tokens": "Tokens", "latency_ms": "Latency, ms", "micro_usd": "Millionths of USD"}
"""What a trial takes, in words."""

_BARS_MAX = 40
"""Cases that a chart shows."""

_TRIALS_MAX = 10
"""Trials of one case that a page shows in full, the failed ones first."""

_STYLE = """
.verdict { font-size: 1.1rem; font-weight: 600 }
details { border-bottom: 1px solid var(--line) } summary { padding: .5rem 0; cursor: pointer }
summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px }
.trial { margin: 0 0 1rem 1.25rem } ul { margin: .25rem 0; padding-left: 1.25rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; padding: .5rem .75rem;
  border-left: 3px solid var(--line); font: .9rem/1.45 ui-monospace, monospace }
svg { width: 100%; height: auto; max-width: 46rem } svg text { fill: var(--ink); font-size: 13px }
.bar { fill: var(--bar); opacity: .75 } .interval { stroke: var(--ink); stroke-width: 1.5 }
.axis { stroke: var(--line) }
@media print { details { break-inside: avoid } }
"""


def page(result: Result, comparison: Comparison | None, when: str) -> str:
    """The whole page.

    Args:
        comparison: With an earlier result; None without one.
        when: The time, for a person.
    """
    failed = [case for case in result.suite.cases if any(not trial.passed for trial in result.of(case.name))]
    verdict = tag("p", f"{_said(result.passed)} of the trials passed", class_=f"verdict {'bad' if failed else 'good'}")
    body = [
        tag("h1", result.suite.name),
        tag("p", f"{len(result.suite.cases)} cases, {len(result.trials)} trials, {when}", class_="quiet"),
        verdict,
        *_figures(result),
        *(() if comparison is None else _compared(comparison)),
        *_faults(result),
        tag("h2", "Cases"),
        bars("Part of each case's trials that passed, with 95 % intervals", _case_bars(result)),
        *(_case(case, result.of(case.name)) for case in result.suite.cases),
        tag("p", "Intervals are of 95 %: Wilson's of shares, bootstrapped over cases of changes.", class_="quiet"),
    ]
    return whole_page(f"Eval: {result.suite.name}", body, _STYLE)


def _figures(result: Result) -> Iterator[Markup]:
    yield tag("h2", "Figures")
    shares = [(SHARES[name], share) for name, share in result.shares.items() if share.whole]
    rows = [Bar(name, share.value or 0.0, *share.interval, _said(share)) for name, share in shares]
    yield bars("Figures of the suite, with 95 % intervals", rows)
    cells = [
        (TAKEN[name], *(_number(spread[part]) for part in ("p50", "p95", "sum", "of")))
        for name, spread in result.taken.items()
    ]
    yield _table(("a trial took", "median", "95th percentile", "all together", "trials"), cells)


def _compared(comparison: Comparison) -> Iterator[Markup]:
    yield tag("h2", "Against the baseline")
    for word, names, style in (
        ("Lost", comparison.lost, "bad"), ("Won", comparison.won, "good"),
        ("New", comparison.new, "quiet"), ("Gone", comparison.gone, "quiet"),
    ):  # fmt: skip
        if names:
            yield tag("p", tag("span", f"{word}: ", class_=style), ", ".join(names))
    if not (comparison.lost or comparison.won):
        yield tag("p", "No case was lost, and none won.")
    if (passed := comparison.passed) is not None:
        row = Bar("Trials passed", passed.change, passed.low, passed.high, f"{100 * passed.change:+.1f} points")
        yield changes("Change of the pass rate, with its 95 % interval", [row])
    cells = [
        (TAKEN[name], f"{each.before:,.1f}", f"{each.now:,.1f}", f"{each.change:+,.1f}",
         f"{each.low:+,.1f} to {each.high:+,.1f}")
        for name, each in comparison.taken.items()
    ]  # fmt: skip
    if cells:
        yield _table(("a trial takes", "before", "now", "change", "95 % interval"), cells)
    said = f"A split of lost and won as uneven as this, by chance: {comparison.mcnemar:.3f} (McNemar, exact)."
    yield tag("p", said, class_="quiet")


def _faults(result: Result) -> Iterator[Markup]:
    faults = faults_by_outcome(list(result.trials))
    if faults:
        yield tag("h2", "Injected faults, and what came of the calls")
        cells = [
            (fault, ", ".join(f"{count} {came}" for came, count in counts.items())) for fault, counts in faults.items()
        ]
        yield _table(("fault", "outcome of the call"), cells)


def _case_bars(result: Result) -> list[Bar]:
    """The cases of which the least passed, in the order of the suite."""
    shares = {
        name: Share(sum(trial.passed for trial in trials), len(trials)) for name, trials in result.by_case.items()
    }  # fmt: skip
    worst = set(sorted(shares, key=lambda name: shares[name].value or 0.0)[:_BARS_MAX])
    return [
        Bar(name, share.value or 0.0, *share.interval, f"{share.part} of {share.whole}")
        for name, share in shares.items() if name in worst
    ]  # fmt: skip


def _case(case: Case, trials: Sequence[Trial]) -> Markup:
    passed = sum(trial.passed for trial in trials)
    good = passed == len(trials)
    state = tag("span", "passed" if good else "failed", class_="good" if good else "bad")
    summary = tag("summary", state, f" {case.name} ({passed} of {len(trials)})")
    parts = [tag("p", "Words: ", case.words)] if case.words else []
    shown = sorted(trials, key=lambda trial: trial.passed)[:_TRIALS_MAX]
    parts += [_trial(trial) for trial in shown]
    if len(shown) < len(trials):
        parts.append(tag("p", f"And {len(trials) - len(shown)} more, which the JSON has.", class_="quiet"))
    return tag("details", summary, *parts) if good else tag("details", summary, *parts, open="")


def _trial(trial: Trial) -> Markup:
    run = trial.run
    parts = [tag("p", f"Trial {trial.number}: {'passed' if trial.passed else 'failed'}")]
    if trial.failures:
        parts.append(tag("ul", *(tag("li", failure, class_="bad") for failure in trial.failures)))
    if run is not None:
        took = f"{run.steps} steps, {run.tokens:,} tokens, {run.latency_ms:,} ms; {run.end}; {run.run_id}"
        parts.append(tag("p", took, class_="quiet"))
        if run.calls:
            cells = [(call.tool, call.outcome, call.code) for call in run.calls]
            parts.append(_table(("tool", "outcome", "code"), cells))
        if run.answer:
            parts.append(tag("pre", run.answer))
    if trial.injected:
        said = ", ".join(f"{tool} {fault}: {came}" for tool, fault, came in trial.injected)
        parts.append(tag("p", f"Injected: {said}"))
    if trial.verdict is not None:
        parts.append(tag("p", f"Judge: {trial.verdict}"))
    return tag("div", *parts, class_="trial")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    return wide_table(columns, ([tag("td", cell) for cell in row] for row in rows))


def _said(share: Share) -> str:
    return f"{100 * (share.value or 0.0):.1f} % ({share.part} of {share.whole})"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"
