"""What an agent is: a model, its instructions and the tools that it may call. Frozen, and registered by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.agent.offering import Offering
from interlock.core.message import Message
from interlock.core.run import DEPTH_MAX
from interlock.errors import DefinitionError
from interlock.models.metered import Price, is_count
from interlock.models.model import Model
from interlock.models.route import leaves

_FREE = Price(0, 0)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """How far one run of an agent may go, and how much of it the model is shown.

    Attributes:
        turns_max: Turns of the model that may propose calls, 1 to 1000. After them it is asked once more, for an
            answer with what it has.
        result_bytes_max: Bytes of one call's value that the model is shown, 1 KiB to 1 MiB; of a larger one the
            beginning, with its size and digest. Screening cuts values beyond 64 KiB already.
        results_kept: Turns whose results are shown whole, 2 to 1000. Older ones are dropped so many turns at a time,
            all at once, so that in between every request begins with what the one before said.
        turns_kept: Turns that are never shown as one line, the newest, 2 to 1000.
        context_tokens_max: Tokens, four characters each, beyond which older turns are shown as one line each, 1,000 to
            10,000,000: so many at once that it comes down to half. What the user says is always shown.
        depth_max: Runs below each other that it may have started for it, 0 to 8: its workers', theirs, and so on.
    """

    turns_max: int = 25
    result_bytes_max: int = 65_536
    results_kept: int = 8
    turns_kept: int = 16
    context_tokens_max: int = 16_000
    depth_max: int = DEPTH_MAX

    def __post_init__(self) -> None:
        for name, least, most in (
            ("turns_max", 1, 1000), ("result_bytes_max", 1024, 1 << 20), ("results_kept", 2, 1000),
            ("turns_kept", 2, 1000), ("context_tokens_max", 1000, 10_000_000),
            ("depth_max", 0, 8),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (type(value) is int and least <= value <= most):
                raise DefinitionError(f"{name}: {value!r}", remedy=f"Give a whole number from {least} to {most}.")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. The same name in another process stands for the same agent: that is how its runs go on there.

    Attributes:
        name: Lower-case letters, digits, `_` and `-`, at most 64 characters.
        model: Who proposes calls and answers.
        instructions: What it is for and how it should go about it. Guidance, never enforcement.
        tools: Names of the tools that it is offered and may call; None for all that the plane offers.
        limits: How far one run goes.
        price: What the model costs, or by name what each of several costs; None where only tokens count.
        confidence: Whether the model is asked how sure it is of each call. What it says is recorded.
        review_below: Confidence, 1 to 100, below which a call that does more than read waits for people, as does one of
            which the model does not say how sure it is; it asks for the confidence. 0 for never. It releases nothing.
        reviewers: Approver group that these calls wait for.
        about: What it is good for, told to the agents that may start it.
        workers: Names of the agents that it may have do a part of its task. Each says its `tools`.
        peers: Names of the agents that it may hand its user over to: what one answers is then its answer.
        plans: Whether it may lay out several calls at once, as a plan that the plane runs.
        offer: Which of these tools the model is offered now, by how its run stands; None for all. It must say the same
            of the same: asked again after a crash, it is asked again.
        budget: What one run of it may use at most, by unit, where another agent starts it.
    """

    name: str
    model: Model
    instructions: str = ""
    tools: tuple[str, ...] | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)
    price: Price | Mapping[str, Price] | None = None
    confidence: bool = False
    about: str = ""
    workers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    plans: bool = False
    budget: Mapping[str, int] = field(default_factory=dict)
    offer: Offering | None = None
    review_below: int = 0
    reviewers: str = "approver"

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise DefinitionError(
                f"agent name {self.name!r}", code="agent.name",
                remedy="Begin with a lower-case letter; then letters, digits, '_' and '-', at most 64.",
            )  # fmt: skip
        if type(self.review_below) is not int or not 0 <= self.review_below <= 100 or not self.reviewers:
            raise DefinitionError(
                f"agent {self.name!r}: review_below={self.review_below!r} of {self.reviewers!r}", code="agent.review",
                remedy="Give a confidence from 0 to 100, and the group that is asked.",
            )  # fmt: skip
        if self.review_below:
            object.__setattr__(self, "confidence", True)
        for part in ("tools", "workers", "peers"):
            names = getattr(self, part)
            if isinstance(names, str):
                raise DefinitionError(
                    f"agent {self.name!r}: {part} is a text", code="agent.tools", remedy="Give a tuple."
                )
            if names is not None and not isinstance(names, tuple):
                object.__setattr__(self, part, tuple(names))
        if isinstance(self.price, Mapping):
            for model in leaves(self.model):
                if model.name not in self.price:
                    raise DefinitionError(
                        f"agent {self.name!r}: no price of {model.name!r}", code="agent.price",
                        remedy="Give the price of every model that may be asked.",
                    )  # fmt: skip

    def price_of(self, model: str) -> Price:
        """What one of its models costs; nothing where only tokens count."""
        price = self.price[model] if isinstance(self.price, Mapping) else self.price
        return _FREE if price is None else price


def cost_of(agent: Agent, reply: Message) -> int:
    """What an answer's tokens cost by the price of the model that gave it, micro-USD; 0 where that is not known."""
    model = reply.model or agent.model.name
    priced = not isinstance(agent.price, Mapping) or model in agent.price
    if reply.usage is None or not is_count(reply.usage) or not priced:
        return 0
    return agent.price_of(model).of(reply.usage).micro_usd
