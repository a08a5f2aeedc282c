from __future__ import annotations

from typing import Any

import pytest

from interlock import Tool
from interlock.registry.cost import list_tokens, tokens, tool_tokens


async def _unused(arguments: dict[str, Any], context: object) -> object:
    raise AssertionError("nothing is called here")


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", 0), ("refund", 1), ("Pay money back to the card", 6), ("internationalisation", 3), ("12345", 2),
        ('{"type":"object"}', 5), ("天気予報", 3), ("a\n\nb", 3),
    ],
)  # fmt: skip
def test_tokens_are_estimated_by_pieces(text: str, about: int) -> None:
    assert tokens(text) == about


def test_a_tool_costs_what_a_model_reads_of_it_and_a_list_the_sum() -> None:
    plain = Tool(name="a", description="Read it.", input_schema={"type": "object"}, body=_unused)
    longer = Tool(name="b", description="Read it. " * 50, input_schema={"type": "object"}, body=_unused)
    assert 0 < tool_tokens(plain) < 30 < 150 < tool_tokens(longer) < 220
    assert list_tokens([plain, longer]) == tool_tokens(plain) + tool_tokens(longer)
    unseen = Tool(name="a", description="Read it.", input_schema={"type": "object"}, body=_unused, timeout_s=1.0)
    assert tool_tokens(unseen) == tool_tokens(plain)  # a model reads no time limit
