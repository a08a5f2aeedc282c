"""JSON Schemas compiled into validators: no retrieval, linear patterns, asserted formats, bounded work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from interlock.core.canonical import canonical, pointer
from interlock.core.problem import Problem
from interlock.errors import DefinitionError
from interlock.registry.bounds import SchemaLimits, Weight, weigh
from interlock.registry.problems import problems_of

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
"""Bytes that one compiled pattern may take, of its program and of its cached states."""

FAULTS_FUEL: Final = 20_000
"""Steps within which every fault is looked for. The engine finds them all before it tells the first, at some 10 µs."""

_SOMEWHERE: Final = Problem(
    field="", code="schema", message="does not satisfy the schema and is too large to say where"
)


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled schema.

    Attributes:
        source: The schema as given; never changed.
        is_valid: Whether a JSON value satisfies it; stops at the first fault.
        weight: What checking costs.
        fuel: What checking one value may cost.
    """

    source: Mapping[str, Any] | bool
    is_valid: Callable[[Any], bool]
    weight: Weight
    fuel: int
    _validator: jsonschema_rs.Validator

    def affords(self, value: Any, size: int | None = None) -> bool:
        """Whether checking a value stays within the fuel.

        Args:
            size: Bytes of its canonical form, where they are known.
        """
        weight = self.weight
        if size is None:
            return weight.steps(value, len(canonical(value)) if weight.per_byte else 0) <= self.fuel
        if weight.growth == 1 and (weight.per_node + weight.per_byte) * size <= self.fuel:
            return True  # a value has no more parts than bytes: no need to count them
        return weight.steps(value, size) <= self.fuel

    def problems(self, value: Any) -> tuple[Problem, ...]:
        """What is wrong with a value, at most 16 things; nothing where it is valid. Never repeats the value.

        Of a large value only the first fault, or only that there is one, where finding it would cost too much.
        """
        steps = self.weight.steps(value, len(canonical(value)))
        if steps <= FAULTS_FUEL:
            return problems_of(self._validator.iter_errors(value), self.source)
        if self.weight.alternatives:
            return () if self.is_valid(value) else (_SOMEWHERE,)
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return problems_of([error], self.source)
        return ()


def compile_schema(
    source: Mapping[str, Any] | bool, *, formats: bool = True, limits: SchemaLimits = SchemaLimits()  # noqa: B008
) -> Schema:  # fmt: skip
    """Compile a schema of draft 4, 6, 7, 2019-09 or 2020-12 (the default where it names none).

    Args:
        formats: Assert formats; as annotations they say nothing.

    Raises:
        DefinitionError: It passes a limit, refers outside itself, has a pattern that a linear engine does not
            take, or is not a schema. Nothing was read but the argument.
    """
    own = dict(source) if isinstance(source, Mapping) else source
    weight = weigh(own, limits)
    own = deepcopy(own)
    try:
        validator = jsonschema_rs.validator_for(own, validate_formats=formats, pattern_options=_PATTERNS, offline=True)
    except jsonschema_rs.ValidationError as error:
        place = pointer(error.instance_path) or "/"
        raise DefinitionError(f"not a schema at {place}: {error.message[:300]}", code="schema.bad") from None
    return Schema(own, validator.is_valid, weight, limits.fuel, validator)
