"""A first profile of a tool that nobody reviewed. Requirement B3."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.core.tool import Effect
from interlock.registry.profile_draft import draft


def _schema(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


@pytest.mark.parametrize(
    ("name", "argument", "role"),
    [
        ("send_mail", "recipient_email", "target"),
        ("send_mail", "cc", "target"),
        ("send_mail", "body", "content"),
        ("send_mail", "what_ever", "target"),
        ("transfer_funds", "amount", "amount"),
        ("set_password", "new_password", "credential"),
        ("delete_files", "file_ids", "selector"),
        ("list_orders", "page_size", "control"),
        ("list_orders", "nextPageToken", "control"),
        ("list_orders", "token", "credential"),
        ("list_orders", "what_ever", "control"),
        ("get_user", "email", "selector"),
        ("fetch_page", "url", "fetch"),
        ("run", "shell_command", "command"),
    ],
)
def test_an_argument_is_for_what_its_name_says_and_a_target_of_a_write_where_it_says_nothing(
    name: str, argument: str, role: str
) -> None:
    assert draft(name, "", _schema(argument)).profile.role(f"/{argument}") == role


def test_a_draft_is_never_reviewed_and_has_phrases_only_for_what_does_more_than_read() -> None:
    made, read = draft("share_document", "", _schema("id")), draft("get_document", "", _schema("id"))
    assert not made.profile.reviewed and made.profile.phrases == ("share * document",)
    assert read.profile.phrases == () and read.effect.effect is Effect.READ


def test_what_takes_nothing_but_an_address_carries_data_out_and_does_no_more() -> None:
    made = draft("NavigateTo", "Go to a page.", _schema("url"))
    assert (made.effect.effect, made.effect.outward, made.profile.role("/url")) == (Effect.READ, True, "fetch")
    assert draft("NavigateTo", "Go to a page.", _schema("url", "text")).effect.effect is Effect.IRREVERSIBLE


def test_fields_that_are_called_identifiers_and_hold_nothing_else_are_proposed_as_records() -> None:
    results = [
        [{"id": "o-1", "email": "ann@acme.example", "note": "Hello", "phone": None}],
        [{"id": "o-2", "email": "bob@acme.example", "note": "Bye", "sender": "not an address"}],
    ]
    rules = draft("list_orders", "", _schema(), results).profile.fields
    assert [(rule.glob, rule.shape) for rule in rules] == [("/*/email", "email"), ("/*/id", "id")]


def test_each_role_has_its_reason() -> None:
    assert draft("send_mail", "", _schema("recipient_email", "xyz")).why == {
        "recipient_email": "by its word 'email'", "xyz": "nothing says more, in a write",
    }  # fmt: skip


def test_results_that_are_json_texts_are_looked_into_and_said_to_be() -> None:
    made = draft("list_orders", "", _schema(), ['[{"id": "o-1", "note": "x"}]']).profile
    assert made.form == "json" and [rule.glob for rule in made.fields] == ["/*/id"]
    for odd in (["a text"], ['"a"'], [7], ["[1]", "no json"]):
        assert draft("list_orders", "", _schema(), odd).profile.form == ""


def test_a_key_of_a_result_that_would_stand_for_others_gives_no_rule() -> None:
    assert draft("list_orders", "", _schema(), [{"*": {"id": "o-1"}, "x?": {"id": "o-2"}}]).profile.fields == ()
