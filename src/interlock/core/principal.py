"""Who a call is made for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from interlock.core.canonical import Written

ADMIN = "admin"
"""Role of those who give keys and may stop things."""

OPERATOR = "operator"
"""Role of those who settle what is unknown and may stop things."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
"""What an id of a principal may be where a person or an issuer gives it: it stands in the ledger for ever."""

FIRST_TENANT = "default"
"""The tenant of those who run the deployment; only they stop everything, or another tenant."""


@dataclass(frozen=True)
class Principal:
    """A user or service on whose behalf calls are made, or a person who decides about them.

    Attributes:
        id: Stable subject id within the tenant; not a name, an address or anything that identifies
            a person to a stranger, because it stands in ledger headers, which are never erased.
        tenant: The tenant that it belongs to; nothing of one tenant is visible to another.
        roles: Role names, as the policy's `Role::"…"`.
        kind: `user`, or `service` for a program; a service never approves.
    """

    id: str
    tenant: str = FIRST_TENANT
    roles: frozenset[str] = frozenset()
    kind: str = "user"

    def __post_init__(self) -> None:
        assert self.id, "a principal needs an id"
        assert self.tenant, "a principal needs a tenant"
        assert self.kind in ("user", "service"), "a principal is a user or a service"
        assert not isinstance(self.roles, str), "roles are several: give a set of names"
        object.__setattr__(self, "roles", frozenset(self.roles))  # any set or list of names will do

    @cached_property
    def written(self) -> Written:
        """The principal as events keep it."""
        return Written({"id": self.id, "tenant": self.tenant, "kind": self.kind, "roles": sorted(self.roles)})
