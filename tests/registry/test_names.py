"""Names of tools: what one may be, which look alike, which is near. Threat T8."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import DefinitionError
from interlock.registry.names import NameIndex, check_name, skeleton


@pytest.mark.parametrize("name", ["a", "refund", "math.hypot", "get-tiny-image", "A1_.-", "a" * 64, "caller", "Call"])
def test_a_name_of_letters_digits_and_three_signs(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "_a",
        ".a",
        "a b",
        "a/b",
        "far/call",
        "call",
        "a" * 65,
        "s\u0435nd",
        "a\n",
        "a\u200b",
        "\uff41",
        "a:b",
        "\u00e9",
    ],
)
def test_any_other_name_is_refused(name: str) -> None:
    """Among them the names of groups in policies, which have a slash or are `call`."""
    with pytest.raises(DefinitionError) as caught:
        check_name(name)
    assert caught.value.code == "definition.name"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("send_email", "sendEmail"),
        ("send_email", "Send-Email"),
        ("send_email", "send.email"),
        ("send_email", "s\u0435nd_email"),  # a Cyrillic letter
        ("send_email", "\u0455\u0435nd_\u0435m\u0430\u0456l"),
        ("send_email", "\uff53end_email"),  # full width
        ("send_email", "s\u00e9nd_email"),
        ("send_email", "send_emai1"),
        ("send_email", "send_emaiI"),
        ("send_email", "send\u200b_email"),
        ("pay_0", "pay_O"),
        ("modern", "modem"),
        ("view", "vievv"),
        ("\ufb01le", "file"),
        ("\u03baot", "kot"),
    ],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("send_email", "send_mail"), ("get_user", "get_users"), ("read", "write"), ("list_a", "list_b")]
)
def test_names_that_do_not_have_two(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(st.text(max_size=30))
@settings(max_examples=200)
def test_case_and_separators_never_tell_two_names_apart(name: str) -> None:
    assert skeleton(name) == skeleton(f"_{name}-.") == skeleton(skeleton(name))


INDEX = NameIndex(["get_property", "list_properties", "create_refund", "delete_tenant", "search_documents"])


@pytest.mark.parametrize(
    ("missed", "nearest"),
    [
        ("get_properties", "get_property"),
        ("listProperties", "list_properties"),
        ("creat_refund", "create_refund"),
        ("delete_ten\u0430nt", "delete_tenant"),  # a Cyrillic letter
        ("documents_search", "search_documents"),
    ],
)
def test_a_missed_name_finds_the_nearest(missed: str, nearest: str) -> None:
    assert INDEX.closest(missed, 3)[0] == nearest


@pytest.mark.parametrize("missed", ["", "x", "weather", "\ud800", "zzzzzz" * 1000])
def test_a_name_that_is_near_to_nothing_finds_nothing(missed: str) -> None:
    assert INDEX.closest(missed, 3) == []


def test_the_nearest_come_first_and_no_more_than_asked() -> None:
    index = NameIndex([f"get_thing_{number}" for number in range(100)])
    found = index.closest("get_thing_7x", 3)
    assert len(found) == 3
    assert "get_thing_7" in found


def test_a_miss_among_ten_thousand_names_is_cheap() -> None:
    """T30: a model may name what it likes, as often as it likes."""
    kinds = ("get_user", "get_file", "list_user", "list_file")
    index = NameIndex(f"{kind}_{number}" for kind in kinds for number in range(2_500))
    started_s = time.process_time()
    for number in range(10):
        index.closest(f"get_usr_{number}", 3)
        index.closest("get_" * 100_000, 3)
    assert time.process_time() - started_s < 0.5
