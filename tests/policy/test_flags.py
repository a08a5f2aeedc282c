"""The stop switch as a fold."""

from __future__ import annotations

import pytest

from interlock.core.event import Event, Fact, Kind
from interlock.policy.flags import Flags, Scope, flag_body


def event(scope: str, target: str, *, stop: bool = True, tenant: str = "", kind: Kind = Kind.FLAG) -> Event:
    body = {**flag_body(Scope.ALL, target, stop=stop, reason="incident 7"), "scope": scope}
    chain = f"tenant/{tenant}" if tenant else "deployment"
    return Event(Fact(kind, body), tenant or "default", chain, 1, 0, b"", b"", b"", b"", b"")


def stopped(flags: Flags, tool: str = "refund", server: str = "local", who: str = "u1", tenant: str = "acme") -> bool:
    return flags.stopped(tool, server, who, tenant) is not None


def test_nothing_is_stopped_at_first() -> None:
    assert not stopped(Flags())


@pytest.mark.parametrize(
    ("scope", "target"), [("tool", "refund"), ("server", "local"), ("principal", "u1"), ("tenant", "acme"), ("all", "")]
)
def test_a_stop_stops_what_it_names_and_a_resume_ends_it(scope: str, target: str) -> None:
    flags = Flags().after([event(scope, target)])
    assert flags.stopped("refund", "local", "u1", "acme") == "incident 7"
    assert scope == "all" or not stopped(flags, "look", "github", "u2", "other")
    assert not stopped(flags.after([event(scope, target, stop=False)]))


def test_a_tenants_stop_stops_no_other_tenant() -> None:
    flags = Flags().after([event("tool", "refund", tenant="acme"), event("principal", "u1", tenant="acme")])
    assert stopped(flags) and not stopped(flags, tenant="other")


def test_a_tenants_resume_does_not_lift_the_deployments_stop() -> None:
    flags = Flags().after([event("tool", "refund"), event("tool", "refund", stop=False, tenant="acme")])
    assert stopped(flags)


def test_a_target_of_one_kind_is_not_one_of_another() -> None:
    assert not stopped(Flags().after([event("tool", "local"), event("server", "refund"), event("principal", "acme")]))


def test_an_unknown_scope_stops_everything() -> None:
    assert stopped(Flags().after([event("planet", "earth")]), "any", "any", "any", "any")


def test_other_events_are_passed_over_and_flags_do_not_change() -> None:
    flags = Flags()
    assert not flags.after([event("all", "", kind=Kind.CONFIG)]).stops
    flags.after([event("all", "")])
    assert not stopped(flags)
