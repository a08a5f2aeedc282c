"""Whether a deployment is ready: what its settings, files, keys, policy and tools say, each with what to do about it.

Checks look and change nothing. One that cannot be made says so, and counts as bad: a doctor that sees nothing finds
nothing.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from interlock.core.principal import ADMIN, Principal
from interlock.core.tool import Effect, Tool
from interlock.gateway_settings import is_loopback
from interlock.profile_files import readable_profiles
from interlock.registry.effects import guess
from interlock.settings import Settings
from interlock.wrapping.report_settings import secrets_in_clear

HOOK_S: Final = 1.5
"""Seconds that a hook may take to start before it is said: an agent waits for it before each of its tools."""

LATE_US: Final = 60_000_000
"""Microseconds that an event may lie ahead of the clock, or unsealed, before it is said."""


class Severity(StrEnum):
    """How much a finding weighs: `bad` ends with exit code 1, `warn` is to be decided on, `good` is as it should be."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found.

    Attributes:
        check: What was checked, a stable name.
        severity: How much it weighs.
        says: What was found; may quote names of servers and tools, which are untrusted.
        do: What to do; empty where nothing is.
    """

    check: str
    severity: Severity
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is looked at.

    Attributes:
        settings: The settings.
        now_us: The time.
        people: Everybody who has a key; None while nobody has one.
        tools: The tools that can be called, own and of servers.
        known: Those and the ones that cannot, in every version.
        withheld: Tool to why it may not be called.
        servers: Server to how it stands.
        approvers: Groups that the policy asks.
        open_to: Tools that somebody without any role could call.
        ledger: Events, events that are sealed, and the time of the newest, microseconds; None where there is none.
        left_over: Tools of which some have no version: theirs is gone, and the older one is not for everybody.
        down: What did not answer when a process asked last.
        stopped: What is stopped.
        hook_s: Seconds that a hook takes to start; None where no agent's own tools are governed.
        bytecode: Whether Python finds this package compiled.
    """

    settings: Settings
    now_us: int
    people: Sequence[Principal] | None = None
    tools: Sequence[Tool] = ()
    known: Sequence[Tool] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, str] = field(default_factory=dict)
    approvers: frozenset[str] = frozenset()
    open_to: Sequence[str] = ()
    ledger: tuple[int, int, int] | None = None
    left_over: Sequence[str] = ()
    down: Sequence[str] = ()
    stopped: Sequence[str] = ()
    hook_s: float | None = None
    bytecode: bool = True


def examine(site: Site) -> list[Finding]:
    """Every finding, in the order of the checklist."""
    parts = (
        _authentication, _policy, _approvers, _tools, _origins, _screening, _running, _servers, _sealing, _files,
        _limits, _notices, _hook, _ledger,
    )  # fmt: skip
    return [found for part in parts for found in part(site)]


def _found(check: str, worse: Severity, wrong: Iterable[str], good: str, do: str) -> Iterator[Finding]:
    """One finding for all that is wrong in the same way, or a good one."""
    listed = list(wrong)
    if not listed:
        yield Finding(check, Severity.GOOD, good)
        return
    more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
    yield Finding(check, worse, ", ".join(listed[:6]) + more, do)


def _authentication(site: Site) -> Iterator[Finding]:
    said = site.settings.gateway
    if not site.people:
        yield Finding("authentication", Severity.BAD, "nobody has a key", "Run `interlock keys add`.")
    elif said.local is not None:
        yield Finding(
            "authentication", Severity.WARN, f"whoever reaches this machine is {said.local.id!r}, without a key",
            "Remove [gateway.local] where others use this machine.",
        )  # fmt: skip
    else:
        yield Finding("authentication", Severity.GOOD, f"{len(site.people)} keys, and nobody comes in without one")
    if not is_loopback(said.host):
        yield Finding(
            "transport", Severity.WARN, f"{said.host} is reached from elsewhere, and keys travel in clear",
            "Put a server with TLS before it.",
        )  # fmt: skip


def _policy(site: Site) -> Iterator[Finding]:
    mode = site.settings.mode
    enforced = mode == "enforce"
    yield Finding(
        "policy enforced", Severity.GOOD if enforced else Severity.BAD, f"mode is {mode!r}",
        "" if enforced else 'Nothing is held or denied. Read `interlock calls list`, then set mode = "enforce".',
    )  # fmt: skip
    if site.settings.policy is None:
        yield Finding(
            "own policy", Severity.WARN, "the policy that ships is in force", "Write your own: see the how-to."
        )
    yield from _found(
        "default deny", Severity.BAD, [f"anybody without a role may call {name}" for name in site.open_to],
        "what nothing permits is denied, and nothing is permitted to somebody without a role",
        "Have the rules that permit name roles.",
    )  # fmt: skip


def _approvers(site: Site) -> Iterator[Finding]:
    people = [person for person in site.people or () if person.kind == "user"]
    for group in sorted(site.approvers):
        able = sorted(person.id for person in people if group in person.roles)
        if not able:
            yield Finding(
                "approvers", Severity.BAD, f"nobody has the role {group!r}: what it holds waits until it expires",
                f"Run `interlock keys add NAME --role {group}`.",
            )  # fmt: skip
        elif len(able) == 1 and len(site.people or ()) == 1:
            yield Finding(
                "approvers", Severity.BAD, f"only {able[0]!r} has the role {group!r} and nobody else has a key: "
                "nobody may answer their own calls", "Give the client a key of its own, or somebody else the role.",
            )  # fmt: skip
        elif len(able) == 1:
            yield Finding(
                "approvers", Severity.WARN, f"only {able[0]!r} has the role {group!r}", "Let somebody else stand in."
            )
        else:
            yield Finding("approvers", Severity.GOOD, f"{len(able)} people have the role {group!r}")
    if site.people and not any(ADMIN in person.roles for person in people):
        yield Finding("administrator", Severity.BAD, f"nobody has the role {ADMIN!r}", "Restore the file of keys.")


def _tools(site: Site) -> Iterator[Finding]:
    own = [tool.name for tool in site.tools if tool.sealed]
    if own and site.settings.pins is None:
        yield Finding("pins", Severity.WARN, f"{len(own)} own tools are not pinned", "Run `interlock tools pin`.")
    yield from _found(
        "reviewed", Severity.WARN, [f"{name} ({why})" for name, why in site.withheld.items()],
        "every tool is as it was reviewed", "See `interlock tools drift`.",
    )  # fmt: skip
    milder = []
    for tool in site.tools:
        name = tool.name.removeprefix(f"{tool.server}__")
        said = guess(name, tool.description, tool.input_schema)
        if tool.effect is Effect.READ and said.sure and said.effect is not Effect.READ:
            milder.append(f"{tool.name} is called a read, and {said.why}")
    yield from _found(
        "effects", Severity.WARN, milder, "no tool is called a read that speaks of writing",
        "Read what it does, and say its effect in the settings.",
    )  # fmt: skip
    lost = [tool.name for tool in site.tools if tool.effect is Effect.IRREVERSIBLE and tool.after_loss == "person"]
    yield from _found(
        "lost answers", Severity.WARN, lost, "no irreversible call needs a person where its answer is lost",
        "Where its far end dedupes, say `keyed`; else somebody settles what is unknown (`interlock calls unknown`).",
    )  # fmt: skip


def _origins(site: Site) -> Iterator[Finding]:
    profiles = readable_profiles(site.settings)
    loud = [tool for tool in site.tools if tool.writes or tool.outward]
    bare = [tool.name for tool in loud if not profiles.of(tool).profiled and _takes(tool)]
    yield from _found(
        "origins", Severity.WARN, bare, "every tool that writes or carries data out says what its arguments are",
        "Say their `roles`, or write their profile: only then are origins of values judged by what an argument is for.",
    )  # fmt: skip
    if site.settings.provenance.profiles is not None:
        said = [(tool.name, profiles.given(tool)) for tool in site.known]
        yield from _found(
            "profiles", Severity.WARN, dict.fromkeys(name for name, each in said if each and not each.reviewed),
            "every profile in the files was reviewed",
            "Read their profiles and set `reviewed = true` (`interlock profile list`): until then they raise nothing.",
        )  # fmt: skip
    if mandates := site.settings.provenance.mandates:
        named = {tool.name for tool in site.known}
        yield from _found(
            "mandates", Severity.WARN,
            [f"{name} for {who}" for who, tools in mandates.items() for name in tools if name not in named],
            f"{len(mandates)} principals have mandates by the settings, all of them for known tools",
            "Correct provenance.mandates: a tool that is not here is asked for by nobody.",
        )  # fmt: skip


def _takes(tool: Tool) -> bool:
    return bool(tool.input_schema.get("properties"))


def _screening(site: Site) -> Iterator[Finding]:
    said = site.settings.screening
    kinds = {"characters": said.characters, "content": said.content, "secrets": said.secrets}
    told = [f"{kind} are told" for kind, act in kinds.items() if act in ("off", "flag")]
    told += ["texts that read like instructions are not looked for"] if said.injection == "off" else []
    yield from _found(
        "screening", Severity.WARN, told, "what nobody sees, what acts by itself and secrets are taken out of results",
        "See [screening]: say otherwise for single tools, and not for all.",
    )  # fmt: skip


def _running(site: Site) -> Iterator[Finding]:
    yield from _found(
        "versions of tools", Severity.WARN, site.left_over, "everybody has a version of every tool",
        "Some have none: give the version that is left to all of them, `interlock tools rollout … --percent 100`.",
    )  # fmt: skip
    yield from _found(
        "health", Severity.WARN, site.down, "everything answered when it was asked last", "See `interlock tools list`."
    )
    yield from _found(
        "stops", Severity.WARN, site.stopped, "nothing is stopped", "Take it back once it may run: `interlock resume`."
    )


def _servers(site: Site) -> Iterator[Finding]:
    settings = site.settings
    if not settings.servers:
        return
    yield from _found(
        "servers answer", Severity.BAD, [f"{name}: {how}" for name, how in site.servers.items() if how],
        f"all {len(settings.servers)} answer", "See `interlock servers list`.",
    )  # fmt: skip
    yield from _found(
        "first sight", Severity.WARN, [said.name for said in settings.servers if said.trust],
        "no server is trusted unseen", "Take `trust` away and accept what it lists: `interlock tools accept`.",
    )  # fmt: skip
    silent = [said.name for said in settings.servers if not said.effects and not said.tools]
    yield from _found(
        "stated effects", Severity.WARN, silent, "every server has its effects stated",
        "All of its tools are privileged until the settings say their effects.",
    )  # fmt: skip


def _sealing(site: Site) -> Iterator[Finding]:
    settings = site.settings
    if settings.ledger is None:
        yield Finding("ledger", Severity.BAD, "nothing is kept beyond the process", "Name a file as `ledger`.")
        return
    if not settings.seal.on or settings.seal.unsigned:
        yield Finding("sealing", Severity.BAD, "the ledger may be written unsealed", "Set on = true, unsigned = false.")
        return
    home = settings.state_folder.resolve()
    near = [sink for sink in settings.sinks if sink.resolve().is_relative_to(home) or _same_disk(sink, home)]
    if len(near) == len(settings.sinks):
        yield Finding(
            "sealing", Severity.WARN, "every sealed head is kept on the ledger's own disk: whoever rewrites one "
            "rewrites both", "Name a sink on another disk, of another owner, under [seal].",
        )  # fmt: skip
    else:
        yield Finding("sealing", Severity.GOOD, "sealed, with heads kept elsewhere")
    if settings.signing_key.resolve().is_relative_to(home):
        yield Finding(
            "signing key", Severity.WARN, "the key that signs stands beside the ledger", "Name seal.key elsewhere."
        )


def _same_disk(sink: Path, home: Path) -> bool:
    try:
        return sink.parent.stat().st_dev == home.stat().st_dev
    except OSError:
        return False


def _files(site: Site) -> Iterator[Finding]:
    settings, wrong = site.settings, []
    home = settings.state_folder
    secret = {settings.signing_key, home / "keys.json", home / "deployment.key", home / "client.key", home / "hook.key"}
    secret |= {settings.at(settings.ledger)} if settings.ledger is not None else set()
    for said in settings.servers:
        named = [*said.env_files.values(), *said.header_files.values(), *([said.key_file] if said.key_file else [])]
        for file in map(settings.at, named):
            secret.add(file)
            wrong += [] if file.exists() else [f"{file} is missing"]
    for file in sorted(secret):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as error:
            wrong.append(f"{file}: {error.strerror}")
            continue
        wrong += [f"{file} has mode {mode:o}"] if mode & 0o077 else []
    yield from _found(
        "file modes", Severity.BAD, wrong, "nobody else may read keys and ledger", "Run `chmod 600` on each."
    )
    yield from _found(
        "secrets in clear", Severity.WARN, secrets_in_clear(settings), "no value of the settings looks like a secret",
        'Name where it is kept: { "$secret" = "env://NAME" }, or a file. See docs/how-to/use-secrets.md.',
    )  # fmt: skip


def _limits(site: Site) -> Iterator[Finding]:
    said = site.settings.limits
    for name, there in (("rates", said.rates), ("budgets", said.budgets)):
        if there:
            yield Finding(name, Severity.GOOD, f"{len(there)} {name} bound all runs together")
        else:
            yield Finding(name, Severity.WARN, f"no {name}: only single runs are bounded ({said.calls_max} calls)",
                          f"Say [[limits.{name}]].")  # fmt: skip


def _notices(site: Site) -> Iterator[Finding]:
    said = site.settings.notify
    if said.webhooks or said.mail:
        yield Finding("notices", Severity.GOOD, f"{len(said.webhooks) + len(said.mail)} channels tell people")
    else:
        yield Finding("notices", Severity.WARN, "nobody is told that a call waits", "Say [[notify.webhooks]] or mail.")
        return
    asking = [each for each in (*said.webhooks, *said.mail) if "approval.requested" in each.kinds]
    untold = sorted(group for group in site.approvers if not any(not e.groups or group in e.groups for e in asking))
    yield from _found(
        "approvers told", Severity.WARN, untold, "every group that approves is told by some channel",
        "Have a channel with the kind `approval.requested` and these `groups`.",
    )  # fmt: skip


def _hook(site: Site) -> Iterator[Finding]:
    if site.hook_s is None:
        return
    slow = site.hook_s > HOOK_S
    do = "Use a faster disk or machine: an agent waits for it before each of its tools."
    if not site.bytecode:
        do = "Python finds no bytecode and compiles everything anew: unset PYTHONDONTWRITEBYTECODE, or run compileall."
    said = f"a hook takes {site.hook_s:.1f} s to start"
    yield Finding("hook", Severity.WARN if slow else Severity.GOOD, said, do if slow else "")


def _ledger(site: Site) -> Iterator[Finding]:
    if site.ledger is None:
        yield Finding("ledger", Severity.WARN, "there is no ledger yet", "Make a first call.")
        return
    events, sealed, newest_us = site.ledger
    if newest_us > site.now_us + LATE_US:
        ahead = (newest_us - site.now_us) // 1_000_000
        yield Finding(
            "clock", Severity.BAD, f"the newest event is {ahead} s ahead of this machine's clock", "Set the clock."
        )
    else:
        yield Finding("clock", Severity.GOOD, "no event lies ahead of this machine's clock")
    if events > sealed and newest_us < site.now_us - LATE_US and site.settings.seal.on:
        yield Finding(
            "unsealed", Severity.BAD, f"{events - sealed} events are not sealed", "Run `interlock ledger seal`."
        )
    else:
        yield Finding("unsealed", Severity.GOOD, f"{min(events, sealed)} of {events} events are sealed")
    yield Finding(
        "retention", Severity.WARN if events > 1_000_000 else Severity.GOOD,
        f"{events} events; nothing is archived or erased by itself",
        "Run `interlock ledger archive` as your rules on keeping say." if events > 1_000_000 else "",
    )  # fmt: skip
