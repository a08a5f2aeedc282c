"""The operations of `openapi_ops` in the data folder, as the documents that they were taken from in part."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def documents(data: Path) -> dict[str, dict[str, Any]]:
    """A document for each service, with every operation that was recorded of it."""
    made: dict[str, dict[str, Any]] = {}
    with gzip.open(data / "openapi_ops" / "ops.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            said = json.loads(line)
            paths = made.setdefault(said["api"], {})
            paths.setdefault(said["path"], {})[said["method"].lower()] = _operation(said)
    return {
        api: {"openapi": "3.1.0", "info": {"title": api, "version": "1"}, "paths": paths} for api, paths in made.items()
    }


def _operation(said: dict[str, Any]) -> dict[str, Any]:
    operation = {
        "operationId": said["name"], "summary": said["summary"] or "", "description": said["description"] or "",
        "parameters": [
            {"name": each["name"], "in": each["in"], "required": bool(each["required"]), "schema": _schema(each)}
            for each in said["params"]
        ],
        "responses": {"200": {"description": "ok"}},
    }  # fmt: skip
    if said["body"]:
        properties = {each["name"] if isinstance(each, dict) else each: _schema(each) for each in said["body"]["props"]}
        schema = {"type": "object", "properties": properties, "required": said["body"]["required"] or []}
        operation["requestBody"] = {"required": True, "content": {said["body"]["content_type"]: {"schema": schema}}}
    return operation


def _schema(part: Any) -> dict[str, Any]:
    if not isinstance(part, dict):
        return {}
    kind = part.get("type")
    schema: dict[str, Any] = (
        {"type": kind} if kind in ("string", "integer", "number", "boolean", "array", "object") else {}
    )
    return schema | ({"enum": part["enum"]} if part.get("enum") else {})
