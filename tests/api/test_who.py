"""Who may do what at the API and in the console."""

from __future__ import annotations

import pytest

from interlock.api.who import Permission, Who
from interlock.core.principal import Principal
from interlock.errors import NotEntitled

GROUPS = frozenset({"approver"})


def who(*roles: str, scopes: set[str] | None = None, kind: str = "user") -> Who:
    principal = Principal("ana", roles=frozenset(roles), kind=kind)
    return Who(principal=principal, scopes=frozenset(scopes or {"console"}), by="key", approvers=GROUPS)


@pytest.mark.parametrize(
    ("role", "gives"),
    [
        ("viewer", {"see"}),
        ("operator", {"see", "operate"}),
        ("approver", {"see", "decide"}),
        ("admin", {"see", "operate", "administer"}),
        ("support", set()),
    ],
)
def test_a_role_gives_what_its_name_says_and_nothing_else(role: str, gives: set[Permission]) -> None:
    every: tuple[Permission, ...] = ("see", "operate", "decide", "administer")
    assert {permission for permission in every if who(role).may(permission)} == gives


def test_a_key_that_opens_tools_never_decides_whoever_bears_it() -> None:
    """T24: an agent that holds the key of somebody who approves."""
    with pytest.raises(NotEntitled) as refused:
        who("approver", "admin", scopes={"tools"}).require("decide")
    assert refused.value.code == "auth.scope"


def test_a_service_never_decides_whatever_its_roles() -> None:
    """T24."""
    with pytest.raises(NotEntitled) as refused:
        who("approver", kind="service").require("decide")
    assert refused.value.code == "auth.role"


def test_a_key_to_read_does_not_let_an_operator_operate() -> None:
    assert who("operator", scopes={"read"}).may("see")
    assert not who("operator", scopes={"read"}).may("operate")
    assert who("operator", scopes={"write"}).may("operate")


@pytest.mark.parametrize("scope", ["read", "write", "tools", "attest:words"])
def test_nothing_but_a_key_for_the_console_lets_an_approver_decide(scope: str) -> None:
    """T24."""
    assert who("approver").may("decide")
    assert not who("approver", scopes={scope}).may("decide")


def test_whoever_has_no_scope_may_nothing() -> None:
    nobody = Who(principal=Principal("ana", roles=frozenset({"admin"})), scopes=frozenset(), by="token")
    assert not nobody.may("see")
