"""YAML as the JSON that it stands for: safe tags alone, no dates, no doubled keys, no bombs of aliases."""

from __future__ import annotations

import re
from typing import Any

from interlock.core.canonical import Json, JsonLimits, check_json
from interlock.errors import BadInput, MissingExtra

try:
    import yaml
except ImportError:
    raise MissingExtra("YAML needs the extra 'openapi'", remedy="Run `pip install 'interlock[openapi]'`.") from None

NODES_MAX = 1_000_000
"""Nodes of a document, each alias counted as all that it stands for."""

FLOW_MAX = 64
"""Levels of `[` and `{` within each other."""


class _Loader(yaml.SafeLoader):  # the C one would be faster, and has its recursion where no bound holds
    """Safe, with the scalars of JSON: `on` and `2020-01-01` are texts, as those who write documents mean them."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # a table of the class, by PyYAML's design

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level > FLOW_MAX:  # each level is looked at again for every token within it
            raise BadInput("nested too deeply", code="openapi.document")
        super().fetch_flow_collection_start(token)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                if isinstance(key, bool) or not isinstance(key, int | float):
                    raise BadInput("a key that is no text", code="openapi.document")
                key = key_node.value  # 200: as it is written
            if key in made:
                raise BadInput(f"the key {key[:80]!r} stands twice", code="openapi.document")
            made[key] = self.construct_object(value_node, deep=True)
        return made

    def construct_yaml_map(self, node: yaml.MappingNode) -> Any:
        made: dict[str, Any] = {}
        yield made
        made.update(self.construct_mapping(node))


def _plain(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_plain("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_plain("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_plain("float", r"^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "-+0123456789")
_plain("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_plain("merge", r"^(?:<<)$", "<")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)


def parse_yaml(text: bytes, limits: JsonLimits) -> Json:
    """Read a YAML text as JSON.

    Raises:
        BadInput: It is not YAML, has no JSON form, or passes a limit.
    """
    try:
        loader = _Loader(text.decode("utf-8"))
        try:
            node = loader.get_single_node()
            _weigh(node, limits.depth_max)
            value: Json = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise BadInput("not UTF-8", code="openapi.document") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise BadInput(f"neither JSON nor YAML{where}", code="openapi.document") from None
    except RecursionError:
        raise BadInput("nested too deeply", code="openapi.document") from None
    check_json(value, limits)
    return value


def _weigh(root: yaml.Node | None, depth_max: int) -> None:
    """Refuse what would be too much or too deep with its aliases written out, before it is built.

    Each node is weighed once, after its parts: a bomb of aliases costs what it is as written. A loop is as deep as the
    walk may go, for its parts are never weighed.
    """
    weights: dict[int, int] = {}
    waiting = [(root, 0, False)]
    while waiting:
        node, depth, weighed = waiting.pop()
        if node is None or id(node) in weights:
            continue
        parts = _parts(node)
        if weighed or not parts:
            weights[id(node)] = 1 + sum(weights[id(part)] for part in parts)
            if weights[id(node)] > NODES_MAX:
                raise BadInput("too much with its aliases written out", code="openapi.document")
            continue
        if depth > depth_max:
            raise BadInput("nested too deeply", code="openapi.document")
        waiting.append((node, depth, True))
        waiting.extend((part, depth + 1, False) for part in parts)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
