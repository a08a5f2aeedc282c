"""Secrets that far ends repeat are in none of nine places (T32, Q12): `make canaries` with one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proof.canaries.forms import FORMS, said
from proof.canaries.look import SINKS, Sinks, found, looked_through, made

CANARY, LEAKED = made(2, seed=7)
CANARIES = [CANARY]


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Sinks:
    """What stands in each place after every call with one canary."""
    return looked_through(tmp_path_factory.mktemp("canaries"), CANARIES, LEAKED)


def test_no_place_has_a_secret_in_any_form(sinks: Sinks) -> None:
    assert {place: form for (place, form), times in found(sinks, CANARIES).items() if times} == {}
    assert set(sinks) >= set(SINKS) and all(sinks[place] for place in SINKS)
    for place in ("ledger", "outcome", "gateway", "calls, runs show", "audit, export", "errors, repr", "logs, stderr"):
        assert b"[secret]" in sinks[place], place
    assert b"env://CANARY_0" in sinks["approvals, inbox"] and b"env://CANARY_0" in sinks["ledger"]


def test_what_a_tool_tells_that_was_not_given_by_reference_is_found_in_every_place(sinks: Sinks) -> None:
    times = found(sinks, [LEAKED])
    assert [key for key in ((place, form) for place in SINKS for form in FORMS) if not times[key]] == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("written", [str.encode, lambda text: repr(text).encode()])
def test_what_is_planted_in_a_place_is_found_there(form: str, written: Callable[[str], bytes], sinks: Sinks) -> None:
    for place in SINKS:
        planted = {place: sinks[place] + b"".join(written(text) for text in said(form, CANARIES[0]))}
        assert found(planted, CANARIES)[place, form] == 1
