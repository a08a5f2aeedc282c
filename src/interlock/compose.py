"""The parts that the settings name: the only place that picks adapters."""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from interlock.agent.agent import Agent
from interlock.agent.graph_drive import GraphDriver
from interlock.agent.loop import Agents
from interlock.approvals.delegation import Delegations
from interlock.approvals.grants import Grants
from interlock.approvals.people import Entitlement, People, Recorded
from interlock.approvals.request import Approvals
from interlock.core.clock import Clock, Deadlines, SystemClock
from interlock.core.decision import Mode
from interlock.core.ids import IdMaker, RandomIds
from interlock.core.points import Points, pass_by
from interlock.core.progress import ProgressListeners
from interlock.core.tool import Tool
from interlock.errors import SettingsError
from interlock.execution.breaker import Breakers
from interlock.execution.bulkhead import Bulkhead
from interlock.execution.cache import Cache
from interlock.execution.executor import Executor
from interlock.execution.health import Health, Probe
from interlock.execution.reads import Reads
from interlock.execution.tracing import Tracing
from interlock.grounding.grounding import Grounding
from interlock.key_ring import KeyPeople, KeyRing
from interlock.ledger.chain import Entropy
from interlock.ledger.conversation import Ledger
from interlock.ledger.definitions import Definitions
from interlock.ledger.note import PublicKey
from interlock.ledger.sealing import SealOptions, Seals
from interlock.ledger.sinks import FileSink, Sink
from interlock.ledger.store import MemoryStore, Store
from interlock.ledger.switch import StopSwitch
from interlock.limits.budget import Budget, Budgets
from interlock.limits.limit import Limits
from interlock.limits.loop import Loops
from interlock.limits.quota import Quotas
from interlock.limits.rate import Rate, Rates
from interlock.models.metered import Price
from interlock.pipeline import Plane
from interlock.policy.authorize import Rules
from interlock.private_files import SigningKeyFile, deployment_key, read_secret
from interlock.profile_files import profiles_of
from interlock.registry.pin import read_pins
from interlock.registry.registry import Registry
from interlock.routing import Routing
from interlock.saga.drive import SagaDriver
from interlock.screening.screen import Copiers, Screens
from interlock.secret_sources import open_keeper, secret_rules
from interlock.services import import_services
from interlock.settings import Settings
from interlock.sign_ins import IssuedPeople, SignedIn
from interlock.sources.family import NOWHERE, Family, Kept, members
from interlock.sources.python import import_agents, import_encoder, import_rules, import_tools
from interlock.verification.cache import Remembered
from interlock.verification.model_verifier import ModelVerifier, Reading
from interlock.verification.question import Verifier
from interlock.verification.rules import AllOf, RulesVerifier
from interlock.verification.verify import Verification

Admit = Callable[[Iterable[Tool]], Registry]
"""Makes a registry of own tools and of what else there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a process takes from its machine and a test owns.

    Attributes:
        clock: Both clocks.
        new_id: Makes ids; random ones where None.
        entropy: Random bytes, for salts.
        pause: Waits between attempts.
        reach: Told each crash point as it is passed.
    """

    clock: Clock = field(default_factory=SystemClock)
    new_id: IdMaker | None = None
    entropy: Entropy = os.urandom
    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    reach: Points = pass_by

    def ids(self) -> IdMaker:
        """What makes ids: what was given, or else random ones."""
        return self.new_id or RandomIds(self.clock)


def open_store(settings: Settings, world: World) -> Store:
    """The store that the settings name; in memory where they name none."""
    if settings.ledger is None:
        return MemoryStore(world.clock, world.entropy)
    from interlock.ledger.sqlite import SqliteStore

    return SqliteStore(settings.at(settings.ledger), world.clock, world.entropy, reach=world.reach)


def tracing_of(settings: Settings) -> Tracing:
    """Whose trace far ends are told that a call belongs to, as the settings say."""
    said = settings.telemetry.otlp
    return Tracing(sends=said.send_trace, exports=bool(said.endpoint), runs=said.runs)


def open_sealer(settings: Settings, store: Store, world: World) -> Seals | None:
    """What seals the ledger, as the settings say; None where nothing is kept or sealing is off."""
    if settings.ledger is None or not settings.seal.on:
        return None
    from interlock.ledger.seal import Sealer  # brings cryptography
    from interlock.ledger.sqlite import SqliteStore

    assert isinstance(store, SqliteStore), "a ledger that is kept is kept in SQLite"
    seal = settings.seal
    options = SealOptions(every_events=seal.every_events, every_s=seal.every_s, unsigned=seal.unsigned)
    return Sealer(store, SigningKeyFile(settings.signing_key), open_sinks(settings), options, world.entropy)


def own_key(file: Path) -> tuple[tuple[PublicKey, ...], str]:
    """The key that the deployment signs with, where it is there, and what is to be said of it else."""
    try:
        text = SigningKeyFile(file).read()
        from interlock.ledger.signing import read_signer  # brings cryptography

        return ((read_signer(text).public,), "") if text else ((), f"The signing key is missing: no file {file}.")
    except SettingsError as error:
        return (), f"The signing key cannot be used: {error.args[0]}."


def open_sinks(settings: Settings) -> list[Sink]:
    """Where the settings have checkpoints sent."""
    from interlock.ledger.sqlite_sink import DatabaseSink

    databases = (".db", ".sqlite")
    return [DatabaseSink(path) if path.suffix in databases else FileSink(path) for path in settings.sinks]


def open_registry(
    settings: Settings, tools: Iterable[Tool | Family] = (), kept: Kept = NOWHERE, admit: Admit | None = None,
    routing: Routing | None = None,
) -> Registry:  # fmt: skip
    """The tools that the settings name and the given ones, held against the pins where the settings name a file.

    Args:
        kept: Where tools of families keep what they know.
        admit: Makes the registry of these and of those of servers; of these alone where None.
        routing: Whose `find_tools` is among them where there are, or may come to be, more than are offered at once.
    """
    services = import_services(settings).tools
    own = [*import_tools(settings.tools, settings.folder, kept), *services, *members(tools, kept)]
    if len(own) > settings.routing.above or settings.servers:
        own.append((routing or open_routing(settings)).tool)
    if admit is not None:
        return admit(own)
    pins = read_pins(settings.at(settings.pins)) if settings.pins is not None else None
    return Registry(own, pins=pins, secrets=secret_rules(settings))


def open_routing(settings: Settings) -> Routing:
    """What is offered of many tools, as the settings say.

    Raises:
        SettingsError: The module of the encoder is not acceptable.
    """
    said = settings.routing
    encoder = None if said.encoder is None else import_encoder(said.encoder, settings.folder)
    return Routing(above=said.above, most=said.most, index=said.index, encoder=encoder)


def load_policy(settings: Settings, registry: Registry) -> Rules:
    """The policy that the settings name, checked against the tools."""
    from interlock.policy.cedar import Policy  # brings Cedar, which a module of tools need not wait for

    return Policy.load(
        settings.at(settings.policy) if settings.policy is not None else None,
        registry.tools,
        shadow=settings.at(settings.shadow) if settings.shadow is not None else None,
        mode=Mode(settings.mode),
    )


def open_verification(settings: Settings, world: World) -> Verification:
    """Who verifies, as the settings say.

    Raises:
        SettingsError: A module, the model or its key is not acceptable.
        MissingExtra: A model is named, and what speaks to providers is not installed.
    """
    said = settings.verify
    verifiers: list[Verifier] = []
    if said.rules:
        verifiers.append(RulesVerifier(*import_rules(said.rules, settings.folder)))
    if said.model is not None:
        from interlock.models.pydantic_ai import list_price, open_model  # brings the providers' clients

        key = read_secret(settings.at(said.key_file)) if said.key_file is not None else ""
        model = open_model(said.model, key=key, base_url=said.base_url, output_max=said.tokens_max)
        listed = list_price(said.model)
        given = Price(said.price_input or 0, said.price_output or 0)
        price = listed if said.price_input is None and said.price_output is None else given
        if price is None:
            raise SettingsError(
                f"verify.model: the price of {said.model!r} is not known",
                remedy="Say price_input and price_output under [verify].",
            )
        reading = Reading(
            price=price, timeout_s=said.timeout_s, nonce=lambda: world.entropy(16).hex(),
            new_id=world.ids(), pause=world.pause,
        )  # fmt: skip
        reader = ModelVerifier(model, reading)
        verifiers.append(Remembered(reader, world.clock, age_s=said.cache_s, entries_max=said.cache_entries_max))
    elif said.thresholds:
        raise SettingsError(
            "verify.thresholds: rules do not say how sure they are", remedy="Name a model, or remove the thresholds."
        )
    verifier = AllOf(*verifiers) if len(verifiers) > 1 else verifiers[0] if verifiers else None
    return Verification(verifier=verifier, thresholds=dict(said.thresholds.items()), review=said.review or "")


def compose(
    settings: Settings, tools: Iterable[Tool | Family], world: World, people: People | None = None,
    agents: Iterable[Agent] = (), admit: Admit | None = None,
) -> tuple[Plane, Callable[[Registry], Rules]]:  # fmt: skip
    """The gates' parts, and how to load the policy for the tools of a registry.

    Args:
        admit: Makes the registry of own tools and of those of servers; see `open_registry`.
    """
    routing = open_routing(settings)
    known = Agents([*import_agents(settings.agents, settings.folder), *agents], routing)
    opened: list[Store] = []  # last of all: what is not acceptable leaves nothing open
    registry = open_registry(settings, [*tools, *known.tools], Kept(lambda: opened[0], world.clock), admit, routing)
    policy = load_policy(settings, registry)
    key = (
        secrets.token_bytes(32) if settings.ledger is None else deployment_key(settings.state_folder / "deployment.key")
    )
    opened.append(open_store(settings, world))
    plane = plane_of(settings, world, registry, policy, opened[0], key)
    routing.use(plane)
    known.use(plane)
    plane.drivers |= {"agent": known, "graph": GraphDriver(plane, known.listeners)}
    plane.approvals.entitlement.people = people or people_of(settings, plane.ledger.store, world.clock)
    plane.screens = replace(plane.screens, matches=lambda tool, value: plane.registry.output_matches(tool, value))
    return plane, partial(load_policy, settings)


def people_of(settings: Settings, store: Store, clock: Clock) -> People:
    """Who has which roles now: by the file of keys, and those of an issuer by what it said last."""
    people = KeyPeople(KeyRing(settings.state_folder / "keys.json", clock))
    oidc = settings.console.oidc
    return people if oidc is None else IssuedPeople(people, SignedIn(store), clock, oidc.given)


def open_copiers(settings: Settings) -> Copiers:
    """What takes out of results what the settings do not want told.

    Raises:
        MissingExtra, SettingsError: Presidio or its pipeline is not installed.
    """
    said = settings.screening
    if said.presidio is None:
        return Copiers(said.handling())
    from interlock.screening.presidio import finder  # brings spaCy

    return Copiers(said.handling(), finder(said.presidio))


def loops_of(settings: Settings) -> Loops:
    """What the settings say of calls that are alike and of calls at once."""
    said = settings.limits
    return Loops(
        vain_max=said.vain_max, alike_max=said.alike_max, near_max=said.near_max, turn_max=said.turn_max
    )  # fmt: skip


def limits_of(settings: Settings, store: Store, clock: Clock) -> Limits:
    """The limits that the settings name."""
    rates = Rates(
        Rate(
            name=said.name, calls=said.calls, per_s=said.per_s, burst=said.burst, per=said.per,
            tools=frozenset(said.tools), effects=frozenset(said.effects),
        )
        for said in settings.limits.rates
    )  # fmt: skip
    budgets = Budgets(
        Budget(
            name=said.name, unit=said.unit, most=said.most, every=said.every, per=said.per,
            tools=frozenset(said.tools), effects=frozenset(said.effects),
        )
        for said in settings.limits.budgets
    )  # fmt: skip
    quotas = Quotas(rates=rates, budgets=budgets, clock=clock, store=store)
    return Limits(calls_max=settings.limits.calls_max, loops=loops_of(settings), quotas=quotas)


def health_of(registry: Registry, world: World, store: Store) -> Health:
    """What asks whether the tools can work, by the checks that they name; one that several share is asked once."""
    health = Health(world.clock, store)
    checks: dict[Callable[[], object], set[str]] = {}
    for tool in registry.tools:
        if tool.health is not None:
            checks.setdefault(tool.health, set()).add(tool.name)
    for ask, names in checks.items():
        where = f"{getattr(ask, '__module__', '')}.{getattr(ask, '__qualname__', ask.__class__.__qualname__)}"
        health.watch(Probe(name=where, ask=ask, tools=frozenset(names)))
    return health


def plane_of(
    settings: Settings, world: World, registry: Registry, policy: Rules, store: Store, key: bytes
) -> Plane:  # fmt: skip
    """The gates' parts over these tools, this policy and this store.

    Args:
        key: The deployment's key.
    """
    new_id = world.ids()
    ledger = Ledger(store, world.reach)
    deadlines = Deadlines(world.clock)
    entitlement = Entitlement(Recorded(), Delegations(ledger.store))
    plane = Plane(
        registry=registry,
        policy=policy,
        switch=StopSwitch(ledger.store),
        limits=limits_of(settings, ledger.store, world.clock),
        verification=open_verification(settings, world),
        approvals=Approvals(
            clock=deadlines, new_id=new_id, grants=Grants(ledger.store, deadlines, new_id, entitlement),
            nonce=lambda: world.entropy(16).hex(), entitlement=entitlement,
        ),
        executor=Executor(
            deployment_key=key, clock=world.clock, bulkhead=Bulkhead(), breakers=Breakers(world.clock),
            health=health_of(registry, world, ledger.store),
            reads=Reads(Cache(world.clock, settings.cache.entries_max, settings.cache.bytes_max), world.clock),
            listeners=ProgressListeners(world.clock), keeper=open_keeper(settings, registry, world.clock),
            tracing=tracing_of(settings), pause=world.pause, reach=world.reach,
        ),
        screens=Screens(matches=registry.output_matches, copiers=open_copiers(settings)),
        ledger=ledger,
        grounding=Grounding(profiles_of(settings, registry)),
        clock=world.clock,
        new_id=new_id,
        definitions=Definitions(ledger.store),
    )  # fmt: skip
    plane.drivers["saga"] = SagaDriver(plane)
    return plane
