"""Interlock: a tool call that a model proposes becomes a decided, durable, provable effect, or is refused.

These are the names for callers; everything else is imported from the module that owns it.
"""

from interlock.agent.agent import Agent, AgentLimits
from interlock.agent.graph import Graph, Node, When, chain
from interlock.agent.graph_standing import GraphOutcome
from interlock.agent.merge import Merge
from interlock.agent.result import AgentResult, End
from interlock.agent.run import AgentRun
from interlock.app import Interlock, open_plane
from interlock.approvals.decide import Answer
from interlock.approvals.grant import GrantTerms
from interlock.compose import World
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.message import Proposal
from interlock.core.principal import Principal
from interlock.core.problem import Problem
from interlock.core.tool import CallContext, Effect, Entity, Tool
from interlock.errors import BadInput, InterlockError, LedgerError, NotSent, Rejected, TryLater
from interlock.graphs import GraphRun
from interlock.policy.flags import Scope
from interlock.registry.define import foreign_tool, tool
from interlock.runs import Run
from interlock.saga.definition import Saga, Step, given, result
from interlock.saga.outcome import SagaOutcome
from interlock.saga.standing import SagaStatus
from interlock.sagas import SagaRun
from interlock.settings import Settings, load_settings

__all__ = [
    "Agent",
    "AgentLimits",
    "AgentResult",
    "AgentRun",
    "Answer",
    "BadInput",
    "CallContext",
    "Effect",
    "End",
    "Entity",
    "GrantTerms",
    "Graph",
    "GraphOutcome",
    "GraphRun",
    "Interlock",
    "InterlockError",
    "LedgerError",
    "Merge",
    "Node",
    "NotSent",
    "Outcome",
    "OutcomeKind",
    "Principal",
    "Problem",
    "Proposal",
    "Rejected",
    "Run",
    "Saga",
    "SagaOutcome",
    "SagaRun",
    "SagaStatus",
    "Scope",
    "Settings",
    "Step",
    "Tool",
    "TryLater",
    "When",
    "World",
    "chain",
    "foreign_tool",
    "given",
    "load_settings",
    "open_plane",
    "result",
    "tool",
]
