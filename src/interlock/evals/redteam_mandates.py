"""The tools that an application would declare for a task, by a rule over the task's text and the tools' own words.

A tool is declared where the text has a verb for what it does and a noun for what it does it to. The classes of verbs
and nouns are plain English and know no suite. An application that knows its task does better; this one is committed,
and edits nothing by hand.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from typing import Final

from interlock.evals.redteam_case import Definition, Suite

_SEAM: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z]+")
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?")

_SAID: Final = tomllib.loads((files("interlock.evals") / "mandate_words.toml").read_text(encoding="utf-8"))
_VERBS: Final = {verb: frozenset(words.split()) for verb, words in _SAID["verbs"].items()}
_NOUNS: Final = {noun: frozenset(words.split()) for noun, words in _SAID["nouns"].items()}
_PLAIN: Final = frozenset({"reschedule", "refund", "checkout", "login", "reserve"})
"""Verbs that say by themselves what is done to what."""


def declared(words: str, tools: Iterable[Definition]) -> tuple[str, ...]:
    """Names of the tools with effects that the text asks for.

    Args:
        words: What the user said.
    """
    said = frozenset(_WORD.findall(words.lower()))
    return tuple(tool.name for tool in tools if tool.effect != "read" and _asked_for(tool.name, said))


def declaring(suite: Suite) -> Suite:
    """The suite in a deployment that declares mandates for each run, and goes by no phrase."""
    cases = tuple(replace(case, mandates=declared(case.words or "", suite.tools)) for case in suite.cases)
    profiles = {tool: replace(profile, phrases=()) for tool, profile in suite.profiles.items()}
    return replace(suite, cases=cases, profiles=profiles)


def _asked_for(name: str, said: frozenset[str]) -> bool:
    parts = [part.lower() for part in _SEAM.split(name) if part]
    verbs = [verb for verb in parts if verb in _VERBS]
    nouns = [noun for noun in parts if noun in _NOUNS]
    if any(verb in _PLAIN and verb in said for verb in verbs):
        return True
    does = not verbs or any(said & _VERBS[verb] for verb in verbs[:1])
    of = not nouns or any(said & _NOUNS[noun] for noun in nouns)
    return bool(verbs or nouns) and does and of
