"""The JSON-Schema-Test-Suite: required cases that need no remote reference, drafts 7 and 2020-12 (and the others)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interlock.errors import DefinitionError
from interlock.registry.schema import compile_schema
from tests.registry.makers import rows

DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


class Case(NamedTuple):
    where: str
    schema: Any
    data: Any
    valid: bool


def groups(data_dir: Path, draft: str, *, remote: bool) -> Iterator[dict[str, Any]]:
    for group in rows(data_dir / "json_schema_suite" / "cases.jsonl.gz"):
        if group["draft"] == draft and not group["optional"] and group["needs_remote"] is remote:
            if isinstance(group["schema"], dict):
                group["schema"].setdefault("$schema", DRAFTS[draft])
            yield group


def differing(data_dir: Path, draft: str, *, formats: bool) -> tuple[int, list[Case]]:
    """How many cases were tried, and those that came out otherwise."""
    tried, wrong = 0, []
    for group in groups(data_dir, draft, remote=False):
        compiled = compile_schema(group["schema"], formats=formats)
        for test in group["tests"]:
            tried += 1
            is_valid = compiled.is_valid(test["data"])
            if is_valid is not test["valid"]:
                wrong.append(Case(group["file"], group["schema"], test["data"], test["valid"]))
            if not is_valid:
                assert compiled.problems(test["data"]), f"refused without a word: {group['description']}"
            else:
                assert not compiled.problems(test["data"])
    return tried, wrong


@pytest.mark.parametrize("draft", DRAFTS)
def test_every_required_case_holds_with_formats_as_annotation(data_dir: Path, draft: str) -> None:
    """Issue «Shown by» 2."""
    tried, wrong = differing(data_dir, draft, formats=False)
    assert tried > 500
    assert wrong == []


@pytest.mark.parametrize("draft", DRAFTS)
def test_with_formats_asserted_exactly_the_cases_of_format_json_differ(data_dir: Path, draft: str) -> None:
    """Issue «Shown by» 2; defect 4: a format that is not asserted lets 9999-99-99 pass."""
    tried, wrong = differing(data_dir, draft, formats=True)
    assert tried > 500
    assert {case.where for case in wrong} <= {"format.json"}
    assert all(case.valid for case in wrong)  # asserting may only refuse more
    if draft == "draft2020-12":
        assert len(wrong) == 19


@pytest.mark.parametrize("draft", DRAFTS)
def test_a_reference_to_another_document_is_refused(data_dir: Path, draft: str) -> None:
    """T31. The suite's other documents live at one address; schemas that only name it as their own are fine."""
    refused = 0
    for group in groups(data_dir, draft, remote=True):
        try:
            compiled = compile_schema(group["schema"])
        except DefinitionError as error:
            assert error.code in ("schema.remote", "schema.bad")
            refused += 1
            continue
        for test in group["tests"]:
            assert compiled.is_valid(test["data"]) is test["valid"]
    assert refused >= 8
