"""Secrets in Vault: fields of secrets in engines of the kind KV 2, by a token or by AppRole.

hvac speaks Vault's API and sends nothing by itself here: its session is ours, over the one client for everything that
goes out (`net/egress.py`), so that the address is checked, no redirect is followed and no proxy or token of the
environment is used. It runs in threads. What Vault says of an error is never repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import anyio.from_thread
import anyio.to_thread

from interlock.core.canonical import canonical, parse_json
from interlock.core.clock import Clock
from interlock.core.secret import Reference
from interlock.errors import BadInput, MissingExtra, SecretError, ToolError
from interlock.net.egress import Ask, Egress

try:
    from hvac.adapters import JSONAdapter  # type: ignore[import-untyped]  # hvac has no types
    from hvac.api.auth_methods import AppRole  # type: ignore[import-untyped]  # as above
    from hvac.api.secrets_engines import KvV2  # type: ignore[import-untyped]  # as above
    from hvac.exceptions import (  # type: ignore[import-untyped]  # as above
        Forbidden,
        InvalidPath,
        InvalidRequest,
        Unauthorized,
        VaultError,
    )
except ImportError:
    raise MissingExtra("Vault needs the extra 'vault'", remedy="Run `pip install 'interlock[vault]'`.") from None

ANSWER_MAX: Final = 1 << 20
"""Bytes of one answer."""

_RENEWED_AT: Final = 0.9
"""The part of a token's time after which another one is got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of AppRole.

    Attributes:
        role_id: Which.
        secret_id: Reads its secret id; in a thread. Raises `SecretError`.
        mount: Where AppRole is mounted.
    """

    role_id: str
    secret_id: Callable[[], str] = field(repr=False)
    mount: str = "approle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A server that speaks Vault's API.

    Attributes:
        url: Where it answers.
        namespace: Of an enterprise server; empty for none.
        token: Reads a token, or the role that gets one. A token is read for each secret, in a thread; raises
            `SecretError`.
    """

    url: str
    namespace: str = ""
    token: Callable[[], str] | Role = field(repr=False)


class Vault:
    """Keeps the secrets of `vault://`; see `net.resolve.Source`.

    Args:
        terms: The server.
        egress: Sends the requests.
        clock: For how long a token lasts.
    """

    def __init__(self, terms: Terms, egress: Egress, clock: Clock) -> None:
        self._terms = terms
        self._egress = egress
        self._clock = clock
        self._token, self._until_s = "", -math.inf
        self._login = anyio.Lock()

    async def secret(self, reference: Reference) -> str:
        """The secret of a reference, as it is now.

        Raises:
            SecretError: `secret.denied`, `secret.absent` or `secret.unreachable`.
        """
        token = await self._token_other_than("")
        try:
            value: str = await _in_thread(reference, self._read, token, reference)
            return value
        except SecretError as error:
            if error.code != "secret.denied" or not isinstance(self._terms.token, Role):
                raise
        value = await _in_thread(reference, self._read, await self._token_other_than(token), reference)
        return value

    async def _token_other_than(self, refused: str) -> str:
        """A token: that of the role as long as it lasts and was not refused."""
        how = self._terms.token
        if not isinstance(how, Role):
            return await anyio.to_thread.run_sync(how)
        async with self._login:
            if self._token in ("", refused) or self._clock.mono_s() >= self._until_s:
                began_s = self._clock.mono_s()
                self._token, lease_s = await _in_thread(None, self._logged_in, how)
                self._until_s = began_s + lease_s * _RENEWED_AT if lease_s > 0 else math.inf
            return self._token

    def _logged_in(self, role: Role) -> tuple[str, float]:
        answer = AppRole(self._adapter("")).login(role.role_id, role.secret_id(), mount_point=role.mount)
        said = answer["auth"]
        return str(said["client_token"]), float(said["lease_duration"])

    def _read(self, token: str, reference: Reference) -> str:
        mount, _, path = reference.path.partition("/")
        answer = KvV2(self._adapter(token)).read_secret_version(
            path, version=reference.version or None, mount_point=mount, raise_on_deleted_version=True
        )
        found, version = answer["data"]["data"], answer["data"]["metadata"]["version"]
        if reference.version and version != reference.version:
            raise SecretError(f"{reference.text}: another version was answered", code="secret.unreachable")
        value = found.get(reference.field)
        if not isinstance(value, str):
            raise SecretError(f"{reference.text}: it has no such field with a text", code="secret.absent")
        return value

    def _adapter(self, token: str) -> JSONAdapter:
        return JSONAdapter(
            base_uri=self._terms.url, token=token, session=_Session(self._egress), allow_redirects=False,
            namespace=self._terms.namespace or None,
        )  # fmt: skip


async def _in_thread(reference: Reference | None, work: Callable[..., Any], *args: Any) -> Any:
    """Ask Vault; what goes wrong is said in our words.

    Raises:
        SecretError: What went wrong.
    """
    place = "vault login" if reference is None else reference.text
    try:
        return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True)
    except (Forbidden, Unauthorized, InvalidRequest) as error:
        why = f"{place}: Vault refuses it ({type(error).__name__})"
        if reference is not None and isinstance(error, InvalidRequest):
            raise SecretError(why, code="secret.unreachable") from None
        raise SecretError(why, code="secret.denied") from None
    except InvalidPath:
        raise SecretError(f"{place}: there is none, or not this version", code="secret.absent") from None
    except (VaultError, ToolError, TimeoutError) as error:
        why = f"Vault does not answer ({getattr(error, 'code', '') or type(error).__name__})"
        raise SecretError(f"{place}: {why}", code="secret.unreachable") from None
    except (KeyError, TypeError, AttributeError, ValueError, BadInput):
        raise SecretError(f"{place}: Vault answers what cannot be read", code="secret.unreachable") from None


class _Session:
    """What hvac takes for a session of requests: sends by the one client for everything that goes out."""

    verify, cert, proxies = True, None, None

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def request(self, method: str, url: str, headers: Mapping[str, str], **given: Any) -> _Answer:
        body = b"" if given.get("json") is None else canonical(given["json"])
        if given.get("params"):
            url = f"{url}?{urlencode(given['params'])}"
        said = {name.lower(): value for name, value in headers.items()}
        if body:
            said["content-type"] = "application/json"
        ask = Ask(
            method=method.upper(), url=url, headers=said, body=body, answer_max=ANSWER_MAX,
            secret_headers=frozenset({"x-vault-token"}),
        )  # fmt: skip
        answer = anyio.from_thread.run(self._egress.send, ask)
        return _Answer(answer.status, answer.body)

    def close(self) -> None:
        """Nothing stays open."""


class _Answer:
    """What hvac takes for an answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status_code = status
        self.ok = status < 400
        self.headers: dict[str, str] = {}
        self.text = ""
        self._body = body

    def json(self) -> Any:
        """The body, read strictly.

        Raises:
            BadInput: It is no JSON.
        """
        return parse_json(self._body)
