"""Issue 6, shown by 3, on what the data folder has; `make openapi` does it on documents as they were published."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from interlock.sources.openapi_document import read_document
from proof.openapi.__main__ import imported, service
from proof.openapi.called import call_all
from proof.openapi.recorded import documents


@pytest.mark.evidence
def test_recorded_operations_of_real_services_import_and_arrive(data_dir: Path) -> None:
    tools, left = 0, []
    for name, said in documents(data_dir).items():
        document = read_document(json.dumps(said).encode(), name)
        found = imported(name, document)
        tools, left = tools + len(found.tools), left + found.left
        called = anyio.run(call_all, name, document, service, 150)
        assert not called.slips and called.arrived == 150
    assert tools >= 1_674 and [each.why for each in left] == ["a body of 'text/plain', which is not written"]
