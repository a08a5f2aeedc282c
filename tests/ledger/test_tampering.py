"""T27, Q5: each change that spec/ledger.md lists is found by its name, on real ledgers; `make tamper` does it by the
thousand.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest

from proof.tampering.bundles import exported, try_bundle
from proof.tampering.flips import Flips, flip
from proof.tampering.ledgers import Made, staged
from proof.tampering.tails import Tails, tear
from proof.tampering.trial import ALL, BUNDLE, Trial, other_events, try_one
from proof.tampering.verdict import examine

SEEDS = range(4)
LEDGERS = (3, 10)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """Two ledgers, made once: what tampers with them works on copies."""
    return anyio.run(made, tmp_path_factory.mktemp("ledgers"), LEDGERS)


async def made(folder: Path, seeds: Iterable[int]) -> list[Made]:
    async with staged() as stage:
        return [await stage.write(folder / str(seed), seed) for seed in seeds]


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != BUNDLE])
def test_a_change_is_found_or_is_in_the_unanchored_tail(kind: str, ledgers: list[Made], tmp_path: Path) -> None:
    """Each kind on two ledgers; a miss names its seed."""
    one, other = ledgers
    trials: list[Trial] = []
    for seed in SEEDS:
        for ledger, against in ((one, other), (other, one)):
            trials.append(anyio.run(try_one, ledger, other_events(against), kind, seed, tmp_path / "copy"))
    assert not [trial for trial in trials if trial.result == "missed"]
    assert [trial for trial in trials if trial.result == "found"]


def test_a_changed_bundle_is_found_out(ledgers: list[Made], tmp_path: Path) -> None:
    raw, key = anyio.run(exported, ledgers[0], tmp_path / "copy")
    trials = [try_bundle(ledgers[0], raw, key, seed) for seed in range(60)]
    assert not [trial for trial in trials if trial.result == "missed"]


def test_a_ledger_that_nobody_touched_has_no_finding(tmp_path: Path) -> None:
    """0 false alarms: tenants, holds, rejections, unknown calls, erasures, archives, rotations, runs at once."""
    seeds = range(100, 112)
    for seed, found in zip(seeds, anyio.run(made, tmp_path, seeds), strict=True):
        seen = anyio.run(examine, found.folder)
        assert (seen.findings, seen.events, seen.tail) == ((), found.events, found.events - found.anchored), seed


def test_a_torn_tail_opens_to_a_prefix_or_is_refused(tmp_path: Path) -> None:
    """K11: at offsets all over the last pages of the file and its log, cut, zeroed and garbled."""
    tried, forged = tear(Tails(5, 0, 1, 24, tmp_path))
    assert tried == 48
    assert forged == []


def test_of_200_events_the_one_with_a_flipped_bit_is_named(tmp_path: Path) -> None:
    """K13: bits of headers, salts and bodies."""
    tried, lines = flip(Flips(1, 0, 1, 40, tmp_path))
    assert tried == 40
    assert lines == []
