from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.tool import Effect
from interlock.registry.effects import guess


@pytest.mark.parametrize(
    ("name", "description", "effect"),
    [
        ("get_order", "", "read"),
        ("issues/list-events", "List issue events", "read"),
        ("listOrders", "", "read"),
        ("orders", "Returns the orders of a customer.", "read"),
        ("create_dir", "Create a directory.", "reversible"),
        ("set_apn_settings", "", "reversible"),
        ("delete_file", "", "irreversible"),
        ("send_email", "", "irreversible"),
        ("customer_refunds_cancel", "", "irreversible"),
        ("grant_role", "", "privileged"),
        ("return_items", "Return some items of an order.", "reversible"),
        ("get_and_update", "Updates the order and returns it.", "reversible"),  # its own words tell on it
        ("downloads", "Downloads a file to the local folder.", "irreversible"),
        ("guard", "To detect and eliminate malicious software.", "irreversible"),
        ("", "", "irreversible"),
        ("获取", "查询订单", "irreversible"),
    ],
)
def test_an_effect_is_guessed_from_the_words_of_a_tool(name: str, description: str, effect: str) -> None:
    found = guess(name, description)
    assert found.effect.value == effect and found.why


def test_what_nothing_speaks_for_is_a_write_and_says_that_it_is_unsure() -> None:
    found = guess("valorant-meta-maps", "Valorant map meta data")
    assert found.effect is Effect.IRREVERSIBLE and not found.sure
    assert guess("get_maps", "").sure


@pytest.mark.parametrize(
    ("parameters", "effect", "outward"),
    [
        ({"sql": {}}, "privileged", False),
        ({"shell_command": {}}, "privileged", False),
        ({"pageUrl": {}}, "read", True),
        ({"order_id": {}}, "read", False),
    ],
)
def test_parameters_say_what_a_name_hides(parameters: dict[str, Any], effect: str, outward: bool) -> None:
    found = guess("get_it", "Get it.", {"properties": parameters})
    assert (found.effect.value, found.outward) == (effect, outward)


@pytest.mark.parametrize(
    ("claims", "effect"),
    [
        ({"readOnlyHint": True}, "irreversible"),  # a claim makes no read of what is unsure
        ({"readOnlyHint": False}, "irreversible"),
        ({"destructiveHint": True}, "irreversible"),
    ],
)
def test_claims_never_lower_a_guess(claims: dict[str, Any], effect: str) -> None:
    assert guess("maps", "Map data", claims=claims).effect.value == effect


def test_claims_raise_a_guess() -> None:
    assert guess("get_it", "Get it.").effect is Effect.READ
    assert guess("get_it", "Get it.", claims={"readOnlyHint": False}).effect is Effect.REVERSIBLE
    assert guess("get_it", "Get it.", claims={"destructiveHint": True}).effect is Effect.IRREVERSIBLE
    assert guess("get_it", "Get it.", claims={"readOnlyHint": "no"}).effect is Effect.READ  # says nothing


@given(st.text(max_size=40), st.text(max_size=80), st.booleans(), st.booleans())
def test_whatever_a_server_claims_its_tool_is_at_least_what_its_words_say(
    name: str, description: str, reads: bool, destroys: bool
) -> None:
    claims = {"readOnlyHint": reads, "destructiveHint": destroys}
    assert guess(name, description, claims=claims).effect.rank >= guess(name, description).effect.rank
