"""A random life of held calls beside the reference, of which `make approvals` has 100,000 steps; and what it finds.

Whatever people, clocks, policies, publishers and kills do in whatever order: no held call is ever executed without
an unconsumed, unexpired quorum of entitled people on exactly the bytes that run; what people said is not lost; and what
may run does run.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from proof.approvals.life import live
from proof.approvals.reference import Needs, Reference
from tests.approvals.mutants import MUTANTS

STEPS = 4000
MUTANT_STEPS = 20_000
"""Within so many each one must be found."""


def test_no_held_call_is_executed_without_a_standing_quorum_on_its_bytes() -> None:
    """Spec approvals, Tests: the model-based run; B10, T23, T24, T44."""
    lived = anyio.run(live, 1000, STEPS)
    assert lived.wrong == []
    for what, least in (
        ("approved", 50),
        ("free", 10),
        ("killed", 10),
        ("edited", 10),
        ("responded", 5),
        ("expired", 5),
    ):
        assert lived.seen[what] > least, f"{what}: the random life has to get somewhere, or it shows nothing"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_gate_is_found(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Q11: a check that cannot fail is none."""
    mutant(monkeypatch)
    assert anyio.run(live, 0, MUTANT_STEPS).wrong, f"not within {MUTANT_STEPS} steps"


def world(**needs: object) -> Reference:
    reference = Reference(
        "ana", {"bob": frozenset({"x"}), "cay": frozenset({"x", "y"}), "bot": frozenset({"x"})}, frozenset({"bot"})
    )
    reference.needs = Needs(frozenset({"x"}), 1) if not needs else Needs(**needs)  # type: ignore[arg-type]
    reference.proposed("c", "{}")
    reference.asked("r", "c")
    return reference


def test_the_reference_objects_to_what_it_must() -> None:
    """It knows the rules without the code: each of these is found."""
    assert "pending" in world().executed("c", "{}", 0)
    assert "nobody proposed" in world().executed("d", "{}", 0)
    assert not world().answer("r", "bot", "approve", about="r")
    assert not world().answer("r", "bob", "approve", about="q")
    reference = world()
    assert reference.answer("r", "bob", "approve", about="r")
    assert not reference.answer("r", "cay", "approve", about="r"), "it is decided"
    assert "version" in reference.executed("c", '{"n":1}', 0)
    assert reference.executed("c", "{}", 0) == ""
    assert "second time" in reference.executed("c", "{}", 0)
    reference = world()
    reference.answer("r", "bob", "approve", about="r")
    del reference.roles["bob"]
    assert "may not speak" in reference.executed("c", "{}", 0)
    reference = world()
    reference.answer("r", "bob", "approve", about="r")
    reference.time(90_000, 90_000)
    assert "expired" in reference.executed("c", "{}", 0)
    reference = world(groups=frozenset({"x", "y"}), quorum=2)
    assert reference.lend("cay", "bob", frozenset({"y"}), 60)
    assert reference.answer("r", "cay", "approve", about="r")
    assert not reference.answer("r", "bob", "approve", about="r"), "a pair is one"
