"""The document of the API: complete, true, and nothing of it open that is not said to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from interlock.api.application import OPEN, described
from interlock.api.reference import reference
from tests.api.stand import Api, opened
from tests.docs.page import DOCS

pytestmark = pytest.mark.anyio

DOCUMENT = described()
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def test_every_route_but_the_open_ones_answers_401_without_a_key(api: Api) -> None:
    """T20: each route that there is, asked for by nobody and by somebody whose key is none."""
    for method, path, _ in OPERATIONS:
        if (method.upper(), path) in OPEN:
            continue
        for headers in ({}, {"authorization": "Bearer ilk_none"}, {"cookie": "__Host-interlock=ana"}):
            api.clock.advance(1.0)  # whoever comes with no key too often is told to wait
            found = await api.client.request(method.upper(), path, headers=headers)
            assert found.status_code == 401, f"{method} {path}"
            assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_a_route_says_what_it_does_and_what_it_may_answer(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"] and operation["description"]
    assert operation["tags"]
    if (method.upper(), path) in OPEN:
        return
    assert operation["security"] == [{"bearer": []}]
    assert {"400", "401", "403", "421", "429", "503"} <= operation["responses"].keys()
    if "{" in path:
        assert "404" in operation["responses"]
    if "requestBody" in operation:
        assert {"413", "415", "422"} <= operation["responses"].keys()
    for status, response in operation["responses"].items():
        if status >= "400":
            assert response["content"].keys() == {"application/problem+json"}, status


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_an_example_is_what_it_is_an_example_of(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    check = jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    for example in schema.get("examples", ()):
        assert check.is_valid(example), [str(error) for error in check.iter_errors(example)]


def test_the_reference_is_made_from_the_document() -> None:
    """`python -m interlock.api.reference > docs/reference/http-api.md` where this fails."""
    assert (DOCS / "reference" / "http-api.md").read_text(encoding="utf-8") == reference(DOCUMENT)


async def test_the_document_is_served_to_whoever_has_a_key(api: Api) -> None:
    found = await api.client.get("/api/v1/openapi.json", headers={"authorization": f"Bearer {api.keys['ana']}"})
    assert found.json() == DOCUMENT
