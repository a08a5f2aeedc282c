"""Finds the candidates: every module in bench/candidates with a tuple CANDIDATES."""

from __future__ import annotations

import importlib
import pkgutil

from bench import candidates
from bench.candidate import Candidate


def in_suite(suite: str) -> list[Candidate]:
    """The candidates of one suite, in the order of the files."""
    return [candidate for candidate in _all() if candidate.suite == suite]


def named(suite: str, name: str) -> Candidate:
    """The candidate of that name."""
    return next(candidate for candidate in _all() if (candidate.suite, candidate.name) == (suite, name))


def _all() -> list[Candidate]:
    modules = sorted(module.name for module in pkgutil.iter_modules(candidates.__path__))
    return [
        candidate
        for module in modules
        for candidate in importlib.import_module(f"bench.candidates.{module}").CANDIDATES
    ]
