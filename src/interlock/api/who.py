"""Whose a request is, and what they may do here: a role gives, and what they came with limits it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.errors import NotEntitled

VIEWER: Final = "viewer"
"""Role of those who may see everything of their tenant and change nothing."""

Permission = Literal["see", "propose", "operate", "decide", "administer"]
"""What can be asked for, a closed set: `see` everything of one's tenant; `propose` calls, which policy decides;
`operate`: cancel, settle, retry, stop, accept; `decide` about held calls and grants; `administer` keys and erasure."""

By = Literal["key", "token", "session"]
"""What somebody came with: a key of this deployment, a token of an issuer, or the session of a person's browser."""

_BY_ROLE: Final[Mapping[str, frozenset[Permission]]] = {
    VIEWER: frozenset({"see"}),
    OPERATOR: frozenset({"see", "operate"}),
    ADMIN: frozenset({"see", "operate", "administer"}),
}

_BY_SCOPE: Final[Mapping[str, frozenset[Permission]]] = {
    "tools": frozenset({"propose"}),
    "read": frozenset({"see"}),
    "write": frozenset({"see", "operate"}),
    "console": frozenset({"see", "operate", "decide", "administer"}),
}
"""What each scope lets its bearer use of their roles. One that opens tools never decides (threat T24)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose a request is.

    Attributes:
        principal: They, with the roles that they have now.
        scopes: What they came with opens, of `keys.SCOPES`; that of a session is `console`.
        by: What they came with.
        since_us: When they last showed who they are, microseconds UTC: for what asks for that anew.
        session_id: The session; empty for none.
        approvers: The groups that the policy in force lets approve anything.
        renewed: `Set-Cookie` by which the browser's session goes on; empty while that is not due.
    """

    principal: Principal
    scopes: frozenset[str]
    by: By
    since_us: int = 0
    session_id: str = ""
    approvers: frozenset[str] = frozenset()
    renewed: str = field(default="", repr=False, compare=False)

    @property
    def tenant(self) -> str:
        """Whose data they may see: that tenant's, and no other's."""
        return self.principal.tenant

    def may(self, permission: Permission) -> bool:
        """Whether they may do this."""
        return permission in self._by_role and permission in self._by_scope

    def require(self, permission: Permission) -> None:
        """Refuse what they may not do.

        Raises:
            NotEntitled: What they came by does not open it (`auth.scope`), or no role gives it (`auth.role`).
        """
        if permission not in self._by_scope:
            raise NotEntitled(
                f"what you came with does not let you {permission}", code="auth.scope",
                remedy="Sign in to the console, or use a key with a scope that does.",
            )  # fmt: skip
        if permission not in self._by_role:
            raise NotEntitled(
                f"no role of {self.principal.id!r} lets them {permission}", code="auth.role",
                remedy="Ask an administrator for one.",
            )  # fmt: skip

    @property
    def _by_scope(self) -> Collection[Permission]:
        return frozenset[Permission]().union(*(_BY_SCOPE.get(scope, ()) for scope in self.scopes))

    @property
    def _by_role(self) -> Collection[Permission]:
        gives = frozenset[Permission]({"propose"})  # whether a call may be made, policy says
        for role in self.principal.roles:
            gives |= _BY_ROLE.get(role, frozenset())
        if self.principal.kind == "user" and self.principal.roles & self.approvers:
            gives |= {"see", "decide"}
        return gives
