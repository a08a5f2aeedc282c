"""The OpenAPI document is true: whatever is sent, no answer is a server's error or one that the document has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

from interlock.api import whoami
from tests.api.fuzzing import ASKED, ENDLESS, OPERATIONS, Fuzzed, document, fuzzed, operations

EXAMPLES = 6
"""Requests of each route and kind; `make api-fuzz` makes as many as one wants."""

BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def open_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.mark.parametrize(("label", "mode"), [
    *((label, GenerationMode.POSITIVE) for label in OPERATIONS if label != ENDLESS),
    *((label, GenerationMode.NEGATIVE) for label in sorted(ASKED - {ENDLESS})),
])  # fmt: skip
def test_a_route_answers_as_its_document_says(open_api: Fuzzed, label: str, mode: GenerationMode) -> None:
    @BOUNDED
    @given(
        case=OPERATIONS[label].as_strategy(generation_mode=mode), who=st.sampled_from(["ada", "host"]), data=st.data()
    )
    def sent(case: Any, who: str, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE and data.draw(st.booleans(), "of what there is"):
            for name in case.path_parameters or {}:
                case.path_parameters[name] = open_api.ids.get(name, case.path_parameters[name])
        open_api.ask(case, who)

    sent()


@pytest.mark.parametrize("label", OPERATIONS)
def test_a_route_answers_nobody_as_its_document_says(open_api: Fuzzed, label: str) -> None:
    @settings(BOUNDED, max_examples=3)
    @given(case=OPERATIONS[label].as_strategy())
    def sent(case: Any) -> None:
        assert open_api.ask(case, "") in (200, 400, 401), "open, unreadable, or for those who have a key"

    sent()


def test_a_status_that_the_document_has_not_is_found(open_api: Fuzzed) -> None:
    said = document()
    del said["paths"]["/api/v1/me"]["get"]["responses"]["200"]
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        open_api.ask(operations(said)["GET /api/v1/me"].Case(), "ada")


def test_a_body_that_the_document_has_not_is_found(open_api: Fuzzed) -> None:
    said = document()
    said["components"]["schemas"]["Me"]["properties"]["tenant"]["type"] = "integer"
    with pytest.raises(FailureGroup, match="Response violates schema"):
        open_api.ask(operations(said)["GET /api/v1/me"].Case(), "ada")


def test_a_defect_is_found(open_api: Fuzzed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whoami, "_PERMISSIONS", None)
    with pytest.raises(FailureGroup, match="Server error"):
        open_api.ask(OPERATIONS["GET /api/v1/me"].Case(), "ada")
