"""The settings of a deployment that was made from a client's configuration, as text for a person to review."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from interlock.core.visible import one_line
from interlock.server_settings import ServerSettings
from interlock.wrapping.look import Looked, Seen

HEAD: Final = """\
# Made by `interlock init --from`. Paths are relative to this file; an unknown key refuses to start.
#
# Everything is decided and recorded, and nothing is held or denied yet. When you have seen enough:
#   interlock policy suggest        writes rules from what was seen
#   mode = "enforce"                puts the policy in force

ledger = ".interlock/ledger.db"     # one SQLite file: every call, decision, approval and result
policy = "policy"                   # folder of *.cedar files: read it, change it, then `interlock policy check`
mode   = "evaluate_only"            # decide and record, but hold and deny nothing; "enforce" where left out

[provenance]
profiles = "profiles"               # drafts: read each, then set `reviewed = true`; until then they raise nothing

[limits]
calls_max = 2000                    # calls of one conversation: of a client's process, over stdio
"""

_EFFECTS: Final = """\
# What a call of each tool does: read, reversible, irreversible (waits for a person) or privileged (for an admin).
# These are guesses by the words beside them; yours is the word that counts. A tool whose effect you change is another
# definition: `interlock tools accept --server {name}` takes it.
"""


def settings_text(seen: Sequence[Seen]) -> str:
    """The whole file."""
    return "\n".join([HEAD, *(_server(each) for each in seen)])


def toml(value: object) -> str:
    """A value as TOML writes it, in plain ASCII: nothing in it can hide, or end its line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{quoted_key(name)} = {toml(part)}" for name, part in value.items()) + " }"
    if isinstance(value, Iterable) and not isinstance(value, str | PurePath):
        return "[" + ", ".join(map(toml, value)) + "]"
    return '"' + "".join(map(_letter, str(value))) + '"'


def _letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isascii() and letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def quoted_key(name: object) -> str:
    """A key as TOML writes it."""
    text = str(name)
    return text if text and text.isascii() and text.replace("-", "").replace("_", "").isalnum() else toml(text)


_SAID: Final = ("name", "command", "url", "env", "env_pass", "env_files", "cwd", "headers", "header_files", "key_file",
                "command_digest")  # fmt: skip


def _server(seen: Seen) -> str:
    said = seen.settings
    lines = ["[[servers]]", *_given(said)]
    if seen.why:
        lines.append(f"# It did not answer: {one_line(seen.why)}")
        lines.append(
            "# Once it does, its tools are privileged and wait: say their effects, then `interlock tools accept`."
        )
    if seen.tools:
        lines += ["", *_EFFECTS.format(name=said.name).splitlines(), "[servers.effects]", *_effects(seen.tools)]
    for name in seen.reviewed().tools:
        lines += [
            "",
            f"[servers.tools.{quoted_key(name)}]",
            "outward = true  # a read that tells somebody else what is asked",
        ]
    return "\n".join([*lines, ""])


def _given(said: ServerSettings) -> Iterator[str]:
    given: dict[str, Any] = said.model_dump(include=set(_SAID), exclude_defaults=True)
    for name in _SAID:
        if name in given:
            note = "  # of this exact command; another one is not started" if name == "command_digest" else ""
            yield f"{name} = {toml(given[name])}{note}"


def _effects(tools: Sequence[Looked]) -> Iterator[str]:
    pairs = [(f"{quoted_key(each.name)} = {toml(each.guess.effect.value)}", each) for each in tools]
    width = min(60, max(len(pair) for pair, _ in pairs))
    for pair, each in pairs:
        yield f"{pair:<{width}}  # {one_line(each.guess.why)}{'' if each.guess.sure else ' (UNSURE: look at it)'}"


def client_entry(command: Sequence[str]) -> dict[str, Any]:
    """What stands in a client's file for Interlock."""
    return {"command": command[0], "args": list(command[1:])}


def one_line_entry(command: Sequence[str]) -> str:
    """The replacement for the client's file, on one line."""
    return json.dumps({"mcpServers": {"interlock": client_entry(command)}})
