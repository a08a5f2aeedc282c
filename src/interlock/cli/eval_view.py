"""What came of a suite, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from interlock.cli.layout import Listing, heading, lines, note, told
from interlock.evals.compare import Comparison
from interlock.evals.evaluate import Result
from interlock.evals.page import SHARES, TAKEN
from interlock.evals.trial import faults_by_outcome
from interlock.ledger.evaluated import KeptEval
from interlock.verification.calibrate import Share

_FAILURES_MAX = 5
"""Failures of one case that a page shows; JSON has all."""


def view(
    result: Result, comparison: Comparison | None, why: Sequence[str], kept: KeptEval | None
) -> list[RenderableType]:
    """The page.

    Args:
        kept: What the ledger has of it; None for nothing.
    """
    found: list[RenderableType] = [_cases(result), *_failures(result), heading("Figures"), _figures(result)]
    found += [told(""), _taken(result), *_faults(result)]
    if comparison is not None:
        found += _compared(comparison)
    found += [told("")]
    found += [told(f"No: {sentence}.", "bad") for sentence in why] or [told("As the suite needs it.", "good")]
    if kept is not None:
        found.append(told(f"Recorded as {kept.eval_id}: event {kept.seq} of {kept.chain}."))
    return [*found, note("Intervals are of 95 %: Wilson's of shares, bootstrapped over cases of changes.")]


def share_text(share: Share) -> str:
    """`7 of 8  87.5 % (52.9 to 97.8)`; `none` of nothing."""
    if share.value is None:
        return "none"
    low, high = share.interval
    return f"{share.part} of {share.whole}  {100 * share.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _cases(result: Result) -> Listing:
    rows = []
    for case in result.suite.cases:
        trials = result.of(case.name)
        passed = sum(trial.passed for trial in trials)
        good = passed == len(trials)
        runs = [trial.run for trial in trials if trial.run is not None]
        steps = f"{sum(run.steps for run in runs) / len(runs):.1f}" if runs else "–"
        tokens = f"{sum(run.tokens for run in runs) / len(runs):,.0f}" if runs else "–"
        state = told("passed" if good else "failed", "good" if good else "bad")
        rows.append((case.name, state, f"{passed} of {len(trials)}", steps, tokens))
    return Listing(("case", "", "trials passed", "steps", "tokens"), rows, empty="No cases.")


def _failures(result: Result) -> Iterator[RenderableType]:
    for case in result.suite.cases:
        failures = [failure for trial in result.of(case.name) for failure in trial.failures]
        if failures:
            yield heading(f"{case.name} failed")
            shown = list(dict.fromkeys(failures))
            yield from (lines(f"· {failure}") for failure in shown[:_FAILURES_MAX])
            if len(shown) > _FAILURES_MAX:
                yield note(f"and {len(shown) - _FAILURES_MAX} more")


def _figures(result: Result) -> Listing:
    rows = [(SHARES[name], share_text(share)) for name, share in result.shares.items() if share.whole]
    return Listing(("figure", "share"), rows, empty="")


def _taken(result: Result) -> Listing:
    rows = [
        (TAKEN[name], *(f"{spread[part]:,}" if spread[part] is not None else "–" for part in ("p50", "p95", "sum")))
        for name, spread in result.taken.items()
    ]
    return Listing(("a trial took", "median", "95th percentile", "all together"), rows, empty="")


def _faults(result: Result) -> Iterator[RenderableType]:
    faults = faults_by_outcome(list(result.trials))
    if faults:
        yield heading("Injected faults")
        rows = [
            (fault, ", ".join(f"{count} {came}" for came, count in counts.items())) for fault, counts in faults.items()
        ]
        yield Listing(("fault", "outcome of the call"), rows, empty="")


def _compared(comparison: Comparison) -> list[RenderableType]:
    view: list[RenderableType] = [heading("Against the baseline")]
    for word, names, style in (
        ("lost", comparison.lost, "bad"), ("won", comparison.won, "good"),
        ("new", comparison.new, "quiet"), ("gone", comparison.gone, "quiet"),
    ):  # fmt: skip
        if names:
            view.append(told(f"{word}: {', '.join(names)}", style))
    changes = {"Trials passed": comparison.passed} | {TAKEN[name]: each for name, each in comparison.taken.items()}
    rows = [
        (
            name, f"{each.before:,.3g}", f"{each.now:,.3g}",
            f"{each.change:+,.3g} ({each.low:+,.3g} to {each.high:+,.3g})",
        )
        for name, each in changes.items() if each is not None
    ]  # fmt: skip
    view.append(Listing(("mean over cases", "before", "now", "change"), rows, empty="No case in common."))
    view.append(note(f"A split of lost and won as uneven as this, by chance: {comparison.mcnemar:.3f} (McNemar)."))
    return view
