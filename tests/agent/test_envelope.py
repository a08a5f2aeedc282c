"""What a model reads of a result: the same whether it was taken over as it stands in the ledger or written anew."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interlock.agent.envelope import envelope, line
from interlock.core.call import outcome_from_json
from interlock.core.canonical import canonical
from interlock.core.transcript import Asked
from tests.core.test_canonical import JSON

BESIDE = st.dictionaries(st.sampled_from(["spent", "stop", "took_us", "cached", "why"]), JSON, max_size=3)
"""What an event says beside the outcome, some of it before and some of it after."""


@given(JSON, BESIDE, st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_a_result_taken_over_from_the_ledger_is_the_result_written_anew(
    value: Any, beside: dict[str, Any], tool: str
) -> None:
    told = canonical({"outcome": {"outcome": "done", "value": value}, **beside})
    outcome = outcome_from_json(json.loads(told)["outcome"], "call_1", tool)
    anew = {"kind": "tool_result", **outcome.as_json()}
    text = envelope(Asked("call_1", "", tool, {}), None, told, 1 << 20)
    assert text == json.dumps(anew, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(text) == anew
    left = {"kind": "tool_result", "outcome": "done", "call_id": "call_1"}
    assert line(Asked("call_1", "", tool, {}), None, told) == json.dumps(left, separators=(",", ":"))
