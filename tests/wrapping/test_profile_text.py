"""Drafts as a file: read as any other profile file, with the reason beside each role, and reviewed by nobody."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interlock.profile_files import ServerTrust
from interlock.registry.profile_draft import draft
from interlock.wrapping.profile_text import profile_text


def _schema(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def test_a_draft_is_a_profile_file_with_reasons_that_nobody_reviewed() -> None:
    made = draft("send_mail", "Send a mail.", _schema("to", "body"), [{"id": "m-1"}])
    text = profile_text("mail", {"send_mail": made})
    said = ServerTrust.model_validate(tomllib.loads(text))
    tool = said.tools["send_mail"]
    assert (said.server, tool.reviewed, tool.roles) == ("mail", False, {"to": "target", "body": "content"})
    assert tool.fields == {"/id": "id"} and tool.phrases == ("send * mail",)
    assert "to = \"target\"  # by its word 'to'" in text


@given(st.dictionaries(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=4), max_size=3))
def test_whatever_a_server_calls_its_tools_the_file_says_nothing_of_others(names: dict[str, list[str]]) -> None:
    drafts = {name: draft(name, name, _schema(*arguments)) for name, arguments in names.items()}
    said = ServerTrust.model_validate(tomllib.loads(profile_text("x", drafts)))
    assert set(said.tools) == set(names)
    for name, tool in said.tools.items():
        assert not tool.reviewed and set(tool.roles) <= set(names[name])
        assert not any(set(role) & set("*?[/") for role in tool.roles)
