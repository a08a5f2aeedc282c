"""The page about the API is played from top to bottom: each curl is sent, and answered as the page says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from interlock import Principal
from interlock.api.bundle import MEDIA
from interlock.keys import CONSOLE
from tests.api.stand import Api, opened
from tests.docs.page import DOCS, blocks

pytestmark = pytest.mark.anyio

ADA = Principal("ada", roles=frozenset({"admin"}))
PAGE = DOCS / "how-to" / "use-the-api.md"


async def test_each_request_of_the_page_is_answered_as_it_says(tmp_path: Path) -> None:
    async with opened(tmp_path, engine=True, ledger=Path("ledger.db")) as api:
        await api.key(ADA, {CONSOLE})
        known = {"API": "/api/v1", **{name.partition("/")[0].upper(): key for name, key in api.keys.items()}}
        answers: list[Any] = []
        for block in blocks(PAGE):
            if block.language == "sh":
                answers.append(await sent(api, block.text, known))
            elif block.language == "json":
                assert like(json.loads(block.text), answers[-1]), f"{block.text}\n{answers[-1]}"
        assert len(answers) == 12


async def sent(api: Api, text: str, known: dict[str, str]) -> Any:
    """What a curl command is answered, with what it tells for those that follow."""
    for name, value in sorted(known.items(), key=lambda item: -len(item[0])):
        text = text.replace(f"'${name}'", value).replace(f"${name}", value)
    words = shlex.split(text.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, url, body = "GET", "", None
    headers: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            method, body = "POST", words.pop(0)
        elif word == "-X":
            method = words.pop(0)
        elif word in ("-o", "-D"):
            words.pop(0)
        elif word != "-s":
            url = word
    found = await api.client.request(method, url, content=body, headers=headers)
    assert found.status_code < 300, found.text
    said = found.text if found.headers["content-type"] == MEDIA else found.json()
    api.conforms(method, found, said)
    for name in ("run_id", "approval_id", "digest", "nonce"):
        if isinstance(said, dict) and said.get(name):
            known[name.removesuffix("_id").upper()] = said[name]
    return said


def like(told: Any, found: Any) -> bool:
    """Whether an answer has what the page shows of it; an ellipsis stands for any text."""
    if isinstance(told, dict):
        return isinstance(found, dict) and all(name in found and like(said, found[name]) for name, said in told.items())
    if isinstance(told, list):
        return isinstance(found, list) and len(told) == len(found) and all(map(like, told, found))
    return bool(found) if told == "…" else bool(told == found)
