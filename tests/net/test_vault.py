"""Secrets in Vault, over real HTTP to a server that speaks its API: logins, leases, versions, refusals, and its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from interlock import Settings
from interlock.core.secret import reference_of
from interlock.errors import SecretError
from interlock.net.egress import Egress, trusted
from interlock.net.reach import reach_of
from interlock.net.vault import Role, Terms, Vault
from interlock.testing import FrozenClock
from tests.net.far_ends import Asked, FarEnd, Reply

pytestmark = pytest.mark.anyio

VALUE = "sk_live_4f9aZ+/q"
TRUST = trusted()


class Server:
    """Answers as Vault does: tokens with policies, AppRole with leases, KV 2 with versions and deletions."""

    def __init__(self) -> None:
        self.tokens = {"root-token"}
        self.secret_ids = {"role-1": "secret-id-1"}
        self.versions: dict[str, list[dict[str, object] | None]] = {
            "kv/pay": [{"key": "sk_live_of_version_1"}, {"key": VALUE, "n": 12345678}],
            "team-a/deep/er": [{"key": "sk_live_deep"}],
            "kv/gone": [{"key": "sk_live_gone"}, None],
        }
        self.lease_s = 60
        self.logins = 0
        self.namespace = ""
        self.far_end = FarEnd(answers=self.answer)

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        namespace = asked.headers.get("x-vault-namespace", "")
        if asked.headers.get("x-vault-request") != "true" or namespace != self.namespace:
            return said(400, errors=["bad request"])
        if asked.method == "POST" and parts.path == "/v1/auth/approle/login":
            given = json.loads(asked.body)
            if self.secret_ids.get(given["role_id"]) != given["secret_id"]:
                return said(400, errors=[f"invalid role or secret ID {given['secret_id']}"])
            self.logins += 1
            self.tokens.add(f"token-{self.logins}")
            return said(200, auth={"client_token": f"token-{self.logins}", "lease_duration": self.lease_s})
        if asked.headers.get("x-vault-token") not in self.tokens:
            return said(403, errors=["permission denied"])
        mount, _, path = parts.path.removeprefix("/v1/").partition("/data/")
        versions = self.versions.get(f"{mount}/{path}")
        if versions is None:
            return said(404, errors=[])
        number = int(parse_qs(parts.query).get("version", [str(len(versions))])[0])
        if number > len(versions):
            return said(404, errors=[])
        data = versions[number - 1]
        metadata = {"version": number, "destroyed": False, "deletion_time": "" if data else "2026-01-01T00:00:00Z"}
        return said(404 if data is None else 200, data={"data": data, "metadata": metadata})


def said(status: int, **body: object) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(body).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with server.far_end:
        yield server


def vault(server: Server, token: object = None, clock: FrozenClock | None = None, **more: str) -> Vault:
    url = server.far_end.url
    egress = Egress(reach_of((), "reach").with_literal(url), timeout_s=2.0, tls=TRUST, keep=0)
    how = (lambda: "root-token") if token is None else token
    return Vault(Terms(url=url, token=how, **more), egress, clock or FrozenClock())  # type: ignore[arg-type]


def role(**more: str) -> Role:
    given = {"role_id": "role-1", "secret": "secret-id-1", **more}
    return Role(role_id=given["role_id"], secret_id=lambda: given["secret"])


async def test_a_field_of_the_newest_or_of_a_named_version(server: Server) -> None:
    kept = vault(server)
    assert await kept.secret(reference_of("vault://kv/pay#key")) == VALUE
    assert await kept.secret(reference_of("vault://kv/pay?version=1#key")) == "sk_live_of_version_1"
    assert await kept.secret(reference_of("vault://team-a/deep/er#key")) == "sk_live_deep"
    assert [asked.target for asked in server.far_end.asked] == [
        "/v1/kv/data/pay", "/v1/kv/data/pay?version=1", "/v1/team-a/data/deep/er",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("vault://kv/none#key", "secret.absent"),
        ("vault://kv/pay#none", "secret.absent"),
        ("vault://kv/pay#n", "secret.absent"),
        ("vault://kv/pay?version=9#key", "secret.absent"),
        ("vault://kv/gone#key", "secret.absent"),
    ],
)
async def test_what_is_not_there_is_said(reference: str, code: str, server: Server) -> None:
    with pytest.raises(SecretError) as refused:
        await vault(server).secret(reference_of(reference))
    assert refused.value.code == code and VALUE not in str(refused.value)


async def test_a_token_that_may_not_is_refused_and_not_repeated(server: Server) -> None:
    with pytest.raises(SecretError) as refused:
        await vault(server, lambda: "another-token").secret(reference_of("vault://kv/pay#key"))
    assert refused.value.code == "secret.denied" and "another-token" not in repr(refused.value) + str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_role_logs_in_once_for_its_lease_and_again_when_its_token_is_revoked(server: Server) -> None:
    clock = FrozenClock()
    kept = vault(server, role(), clock)
    for _ in range(2):
        assert await kept.secret(reference_of("vault://kv/pay#key")) == VALUE
    assert server.logins == 1
    clock.advance(59)
    assert await kept.secret(reference_of("vault://kv/pay#key")) == VALUE
    assert server.logins == 2
    server.tokens.clear()
    assert await kept.secret(reference_of("vault://kv/pay#key")) == VALUE
    assert server.logins == 3


async def test_a_role_that_may_not_log_in_is_refused(server: Server) -> None:
    with pytest.raises(SecretError) as refused:
        await vault(server, role(secret="secret-id-of-nobody")).secret(reference_of("vault://kv/pay#key"))
    assert refused.value.code == "secret.denied" and "secret-id-of-nobody" not in str(refused.value)


async def test_a_namespace_is_named(server: Server) -> None:
    server.namespace = "team"
    assert await vault(server, namespace="team").secret(reference_of("vault://kv/pay#key")) == VALUE
    with pytest.raises(SecretError):
        await vault(server).secret(reference_of("vault://kv/pay#key"))


@pytest.mark.parametrize(
    "reply",
    [
        said(503, errors=["Vault is sealed"]),
        said(500, errors=["internal error"]),
        said(429, errors=["rate"]),
        said(200, data={"data": None, "metadata": {"version": 1}}),
        said(200, data={"data": {"key": VALUE}}),
        said(200, errors=[VALUE]),
        said(200, data={"data": {"key": VALUE}, "metadata": {"version": 7}}),
        Reply(200, {}, b"<html>"),
        Reply(200, {}, b'{"data": {}, "data": {}}'),
        Reply(307, {"location": "http://127.0.0.1:1/v1/kv/data/pay"}, b""),
        Reply(200, {}, b"x" * 400, cut=10),
    ],
)  # fmt: skip
async def test_a_server_that_is_sealed_broken_or_somebody_else_is_unreachable(reply: Reply, server: Server) -> None:
    server.far_end.replies.append(reply)
    with pytest.raises(SecretError) as refused:
        await vault(server).secret(reference_of("vault://kv/pay?version=1#key"))
    assert refused.value.code == "secret.unreachable" and VALUE not in str(refused.value)
    assert len(server.far_end.asked) == 1


async def test_a_server_that_is_down_or_internal_is_unreachable(server: Server) -> None:
    egress = Egress(timeout_s=1.0, tls=TRUST, keep=0)  # nobody allowed an address of this machine
    kept = Vault(Terms(url=server.far_end.url, token=lambda: "root-token"), egress, FrozenClock())
    with pytest.raises(SecretError, match=r"egress\.forbidden"):
        await kept.secret(reference_of("vault://kv/pay#key"))
    assert server.far_end.connections == 0


async def test_no_token_of_the_environment_is_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "root-token")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(SecretError) as refused:
        await vault(server, lambda: "none").secret(reference_of("vault://kv/pay#key"))
    assert refused.value.code == "secret.denied"
    assert Settings().secrets.vault is None
