"""Tools over real HTTP, written as docs/how-to/write-a-tool.md says: the client is the page's own."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

from interlock import CallContext, Tool, tool
from tests.docs.page import DOCS, blocks

PAGE = DOCS / "how-to" / "write-a-tool.md"


@cache
def client() -> ModuleType:
    """The page's `shop_api.py`."""
    [source] = [block for block in blocks(PAGE) if block.file == "shop_api.py"]
    module = ModuleType("shop_api")
    sys.modules[module.__name__] = module
    exec(compile("\n" * source.line + source.text, str(PAGE), "exec", dont_inherit=True), module.__dict__)
    return module


def pay(port: int, **options: Any) -> Tool:
    """A write whose far end is at a port; its properties are the test's to say."""
    post = client().post

    def pay(n: int, context: CallContext) -> int:
        """Pay a number."""
        done: int = post(f"127.0.0.1:{port}", "/pay", {"n": n}, context)["n"]
        return done

    return tool(**{"effect": "reversible", "timeout_s": 5.0, **options})(pay)


def look(port: int, **options: Any) -> Tool:
    """A read at the same far end."""
    post = client().post

    def look(n: int, context: CallContext) -> int:
        """Look at a number."""
        found: int = post(f"127.0.0.1:{port}", "/look", {"n": n}, context)["n"]
        return found

    return tool(**{"effect": "read", "timeout_s": 5.0, **options})(look)
