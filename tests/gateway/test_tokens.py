"""Tokens of an issuer: which are taken, for whom they speak, and that they go no further than the door."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from interlock.core.clock import SECOND_US
from interlock.core.principal import Principal
from interlock.errors import InterlockError, NotEntitled, SettingsError
from interlock.gateway.issuer import AGAIN_S, KEEP_S, REFRESH_S, IssuerKeys
from interlock.gateway.tokens import TokenAdmission
from interlock.gateway_settings import OauthSettings
from interlock.keys import Key
from tests.gateway.issued import AUDIENCE, ISSUER, Issuer
from tests.gateway.served import served
from tests.gateway.wired import called, request, sent
from tests.planes import Far
from tests.sources.web import Hostile, serving

pytestmark = pytest.mark.anyio

ISSUED = Issuer()
SCOPES = ({"scope": "calls", "roles": ["support"]}, {"scope": "words", "opens": ["attest:words"]})


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return int(self.now_s * SECOND_US)

    def mono_s(self) -> float:
        """Seconds."""
        return self.now_s


class Nobody:
    """Lets in nobody."""

    async def admit(self, authorization: str) -> Key:
        """See `Admission`."""
        raise NotEntitled("no key", code="keys.missing")


def said(**changed: Any) -> OauthSettings:
    given = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": "keys.json", "scopes": SCOPES, **changed}
    return OauthSettings.model_validate(given)


class Published:
    """The issuer's document, and how often it was asked for."""

    def __init__(self, file: Path, *algorithms: str) -> None:
        self.text = ISSUED.publish(file, *algorithms).read_bytes()
        self.asked = 0
        self.there = True

    async def fetch(self) -> bytes:
        """Bring it."""
        self.asked += 1
        if not self.there:
            raise SettingsError("not there")
        return self.text


def admission(folder: Path, hands: Hands, **changed: Any) -> TokenAdmission:
    keys = IssuerKeys(Published(folder / "keys.json").fetch, hands)
    return TokenAdmission(said(**changed), keys, Nobody(), hands)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_speaks_for_its_subject_with_what_its_scopes_are_here(tmp_path: Path, algorithm: str) -> None:
    hands = Hands()
    key = await admission(tmp_path, hands).admit(f"Bearer {ISSUED.token(hands.now_s, algorithm)}")
    assert key == Key(Principal("ada", roles=frozenset({"support"})), frozenset({"tools"}))
    token = ISSUED.token(hands.now_s, scope="openid", client_id="ada", aud=["x", AUDIENCE])
    assert await admission(tmp_path, hands).admit(f"bearer {token}") == Key(
        Principal("ada", kind="service"), frozenset()
    )


WRONG: dict[str, dict[str, Any]] = {
    "for another audience": {"aud": "https://other.example/mcp"}, "for nobody": {"aud": None},
    "for a longer audience": {"aud": AUDIENCE + "/x"}, "of another issuer": {"iss": "https://evil.example"},
    "of nobody": {"iss": None}, "past": {"exp": 1_800_000_000 - 31}, "without an end": {"exp": None},
    "not yet": {"nbf": 1_800_000_000 + 31}, "made later": {"iat": 1_800_000_000 + 31}, "end as text": {"exp": "soon"},
    "end that is no number": {"exp": True}, "no subject": {"sub": None}, "empty subject": {"sub": ""},
    "a subject with a line break": {"sub": "a\nb"}, "a subject that is no text": {"sub": 7},
    "unknown key": {"kid": "x"},
    "another's key": {"key": Issuer().keys["RS256"]}, "another kind of key": {"kid": "ES256"},
}  # fmt: skip


async def test_a_token_with_anything_wrong_is_refused_in_the_same_words(tmp_path: Path) -> None:
    """T11, wrong audience and all the rest."""
    hands = Hands()
    door = admission(tmp_path, hands)
    words = set()
    for why, changed in WRONG.items():
        with pytest.raises(NotEntitled) as refused:
            await door.admit(f"Bearer {ISSUED.token(hands.now_s, **changed)}")
        words.add((refused.value.code, str(refused.value), why[:0]))
    assert len(words) == 1
    edge = ISSUED.token(hands.now_s, exp=hands.now_s - 29, nbf=hands.now_s + 29)
    assert (await door.admit(f"Bearer {edge}")).principal.id == "ada"


async def test_no_token_says_by_itself_how_it_is_to_be_checked(tmp_path: Path) -> None:
    hands = Hands()
    door = admission(tmp_path, hands)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": hands.now_s + 300}
    good = ISSUED.token(hands.now_s)
    public = (tmp_path / "keys.json").read_bytes()

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head, body, signature = good.split(".")
    mixed = f"{part({'alg': 'HS256', 'kid': 'RS256'})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, mixed.encode(), "sha256")).decode().rstrip("=")
    signed_with_what_is_public = f"{mixed}.{mac}"
    bent = (
        f"{part({'alg': 'none'})}.{part(claims)}.", f"{part({'alg': 'None', 'kid': 'RS256'})}.{part(claims)}.x",
        signed_with_what_is_public,
        f"{head}.{part({**claims, 'sub': 'bob'})}.{signature}", f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{part({'alg': 'RS256', 'kid': 'RS256', 'crit': ['x'], 'x': 1})}.{body}.{signature}", "..", "a.b.c",
        f"{part({'alg': 'RS256', 'jku': 'https://evil.example', 'jwk': {}})}.{body}.{signature}", "x" * 20_000 + "..",
    )  # fmt: skip
    for token in bent:
        with pytest.raises(NotEntitled):
            await door.admit(f"Bearer {token}")
    with pytest.raises(NotEntitled):
        await admission(tmp_path, hands, algorithms=("ES256",)).admit(f"Bearer {good}")
    assert (await door.admit(f"Bearer {good}")).principal.id == "ada"


async def test_keys_are_looked_for_again_within_bounds_and_kept_while_their_issuer_is_away(tmp_path: Path) -> None:
    hands, published = Hands(), Published(tmp_path / "keys.json", "RS256")
    door = TokenAdmission(said(), IssuerKeys(published.fetch, hands), Nobody(), hands)

    async def admitted(algorithm: str) -> bool:
        try:
            return bool(await door.admit(f"Bearer {ISSUED.token(hands.now_s, algorithm)}"))
        except NotEntitled:
            return False

    assert await admitted("RS256")
    published.text = ISSUED.publish(tmp_path / "keys.json", "ES256", "EdDSA").read_bytes()
    for _ in range(20):
        assert not await admitted("ES256")
    assert published.asked == 1, "a token that names an odd key makes nobody ask again so soon"
    hands.now_s += AGAIN_S
    assert await admitted("ES256")
    assert not await admitted("RS256"), "a key that was taken back opens nothing"
    published.there = False
    hands.now_s += REFRESH_S
    assert await admitted("ES256")
    hands.now_s += KEEP_S
    with pytest.raises(InterlockError) as away:
        await admitted("ES256")
    assert (away.value.code, isinstance(away.value, NotEntitled)) == ("token.keys", False)


def oauth(folder: Path) -> dict[str, Any]:
    file = ISSUED.publish(folder / "issuer.json")
    return {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": file, "scopes": SCOPES}


async def test_over_http_a_token_opens_the_door_and_nobody_is_told_where_tokens_come_from(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")], oauth=await anyio.to_thread.run_sync(oauth, tmp_path)) as gateway:
        now_s = gateway.plane.plane.clock.wall_us() / SECOND_US
        for changed, status in (({}, 200), ({"aud": "https://other.example"}, 401), ({"scope": "openid"}, 200)):
            token = ISSUED.token(now_s, **changed)
            came = await sent(gateway.url, called(gateway, "get", {"n": 1}, authorization=f"Bearer {token}"))
            assert came.status == status
            if status == 401:
                where = "https://gateway.example/.well-known/oauth-protected-resource/mcp"
                assert came.head["www-authenticate"] == f'bearer resource_metadata="{where}"'
            assert (b"gateway.scope" in came.body) == (changed == {"scope": "openid"})
        assert len(far.ran) == 1
        [done] = [call for call in await gateway.calls() if call["outcome"] == "done"]
        assert done["principal_id"] == "ada"
        assert (await sent(gateway.url, called(gateway, "get", {"n": 2}))).status == 200, "keys go on"
        for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
            came = await sent(gateway.url, request(gateway, method="GET", path=path, authorization=None))
            assert (came.status, json.loads(came.body)) == (200, {
                "resource": AUDIENCE, "authorization_servers": [ISSUER], "bearer_methods_supported": ["header"],
                "scopes_supported": ["calls", "words"],
            })  # fmt: skip
            assert (await sent(gateway.url, request(gateway, path=path, authorization=None))).status == 401


async def test_nothing_of_a_token_is_kept(tmp_path: Path) -> None:
    """T11: it is in no row, no event and no answer, so that nothing can hand it on."""
    far = Far()
    async with served(tmp_path, [far.tool("get")], oauth=await anyio.to_thread.run_sync(oauth, tmp_path)) as gateway:
        token = ISSUED.token(gateway.plane.plane.clock.wall_us() / SECOND_US)
        came = await sent(gateway.url, called(gateway, "get", {"n": 1}, authorization=f"Bearer {token}"))
        assert came.status == 200
        signature = token.rpartition(".")[2].encode()
        assert signature not in came.body and signature.decode() not in repr(far.ran)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not any(signature in content for content in kept)


async def test_a_server_behind_never_sees_a_clients_token(tmp_path: Path) -> None:
    """T11: a server that writes down every byte it is sent, behind the gateway, over HTTP."""
    app = Hostile("plain")
    oauth_said = await anyio.to_thread.run_sync(oauth, tmp_path)
    async with serving(app) as behind:
        server = {"name": "behind", "url": f"{behind.url}/mcp", "trust": True, "prefix": "", "effects": {"one": "read"}}
        async with served(tmp_path, (), servers=(server,), oauth=oauth_said) as gateway:
            token = ISSUED.token(gateway.plane.plane.clock.wall_us() / SECOND_US)
            for said in (f"Bearer {token}", f"Bearer {gateway.keys['ana']}"):
                came = await sent(gateway.url, called(gateway, "one", {"n": len(said)}, authorization=said))
                assert (came.status, b"done" in came.body) == (200, True)
            assert len(app.calls) == 2
            seen = repr((app.seen, app.headers))
            assert token not in seen and token.rpartition(".")[2] not in seen and gateway.keys["ana"] not in seen
            assert not any("authorization" in headers for headers in app.headers)


@pytest.mark.parametrize(
    "changed",
    [{"jwks_file": None}, {"jwks_url": "https://x"}, {"algorithms": ["HS256"]}, {"algorithms": []}, {"audience": "me"}],
)
def test_settings_that_would_let_in_the_wrong_ones_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        said(**changed)


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        ({"jwks_file": None, "jwks_url": "http://login.example/keys"}, False),
        ({"jwks_file": None, "jwks_url": "http://127.0.0.1:9/keys"}, True),
        ({"jwks_file": None, "jwks_url": "https://login.example/keys"}, True),
        ({"jwks_file": None, "jwks_url": "https://user:pass@login.example/keys"}, False),
        ({"issuer": "http://login.example"}, False),
        ({"issuer": "http://localhost:9"}, True),
        ({"issuer": ""}, False),
    ],
)
def test_keys_and_issuers_in_clear_are_this_machines_alone(changed: dict[str, Any], taken: bool) -> None:
    """T11: whoever is on the way could put keys of their own in the place of the issuer's."""
    if taken:
        assert said(**changed)
        return
    with pytest.raises(ValueError, match=r"no URL|not https"):
        said(**changed)
