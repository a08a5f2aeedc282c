"""Where tokens for a resource are had: its metadata and its authorization server's, held against the operator's word.

What these documents say is data of a stranger (CVE-2025-6514). The issuer is the operator's, never the resource's
choice; every address is https, or what the operator allowed; nothing is opened, started or followed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from interlock.core.address import is_loopback
from interlock.core.canonical import parse_json
from interlock.errors import BadInput, NotSent, ToolError
from interlock.net.answer import Answer
from interlock.net.egress import Ask, Egress
from interlock.net.reach import Reach
from interlock.net.target import Target, target_of

DOCUMENT_MAX: Final = 64 << 10
"""Bytes of a document or of an answer of an authorization server."""

_REMEDY: Final = "Ask whoever runs the authorization server; nothing was sent to where it points."


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantor:
    """An authorization server, as far as its metadata was acceptable.

    Attributes:
        issuer: Its name, which the operator's file says.
        resource: What tokens are asked for: the audience; empty where people sign in, and no resource is asked for.
        token_url: Where tokens are had.
        authorize_url: Where a person is sent; empty where nobody is.
        register_url, revoke_url: Where clients are registered and tokens given back; empty where they are not.
        says_issuer: Whether each of its callbacks names it.
        in_body: Whether it takes a client's secret in the body alone.
        keys_url: Where its public keys stand; empty where that was not asked for.
    """

    issuer: str
    resource: str
    token_url: str
    authorize_url: str = ""
    register_url: str = ""
    revoke_url: str = ""
    says_issuer: bool = False
    in_body: bool = False
    keys_url: str = ""


async def discover(egress: Egress, reach: Reach, *, url: str, issuer: str, people: bool) -> Grantor:
    """Ask the resource and then the issuer for their metadata.

    Args:
        reach: What the egress reaches.
        url: Of the resource.
        issuer: The authorization server that the operator names.
        people: Whether somebody is to be sent there, so that it must know PKCE with S256.

    Raises:
        NotSent: A document cannot be had or is not acceptable.
    """
    resource = _resource(await _first(egress, resource_places(url)), url, issuer)
    said = await _of_issuer(egress, issuer, issuer_places(issuer))
    if people and "S256" not in _texts(said, "code_challenge_methods_supported"):
        raise NotSent(f"the issuer {issuer} does not know PKCE with S256", code="oauth.pkce", remedy=_REMEDY)
    return Grantor(
        issuer=issuer, resource=resource,
        token_url=_endpoint(said, "token_endpoint", reach, needed=True),
        authorize_url=_endpoint(said, "authorization_endpoint", reach, needed=people),
        register_url=_endpoint(said, "registration_endpoint", reach),
        revoke_url=_endpoint(said, "revocation_endpoint", reach),
        says_issuer=_says_issuer(said), in_body=_in_body(said),
    )  # fmt: skip


async def discover_issuer(egress: Egress, reach: Reach, issuer: str) -> Grantor:
    """Ask an issuer of OpenID Connect for its metadata: for people who sign in, and not for a resource.

    PKCE is used whether or not the metadata say that it knows it: one that does not leaves it unread, and the nonce of
    the ID token still binds the code to the login.

    Raises:
        NotSent: The document cannot be had or is not acceptable.
    """
    said = await _of_issuer(egress, issuer, [f"{issuer.rstrip('/')}/.well-known/openid-configuration"])
    return Grantor(
        issuer=issuer, resource="",
        token_url=_endpoint(said, "token_endpoint", reach, needed=True),
        authorize_url=_endpoint(said, "authorization_endpoint", reach, needed=True),
        keys_url=_endpoint(said, "jwks_uri", reach, needed=True),
        says_issuer=_says_issuer(said), in_body=_in_body(said),
    )  # fmt: skip


def resource_places(url: str) -> list[str]:
    """Where a resource's metadata may stand (RFC 9728): never where an answer of it points."""
    target = target_of(url)
    path = target.path.partition("?")[0].rstrip("/")
    base = f"{_origin(target)}/.well-known/oauth-protected-resource"
    return list(dict.fromkeys((base + path, base)))


def issuer_places(issuer: str) -> list[str]:
    """Where an issuer's metadata may stand (RFC 8414, and OpenID Connect's older places)."""
    target = target_of(issuer)
    path = target.path.rstrip("/")
    base = f"{_origin(target)}/.well-known/"
    places = (f"{base}oauth-authorization-server{path}", f"{base}openid-configuration{path}",
              f"{_origin(target)}{path}/.well-known/openid-configuration")  # fmt: skip
    return list(dict.fromkeys(places))


async def asked(egress: Egress, ask: Ask) -> Answer:
    """The answer of an authorization server, whole.

    Raises:
        NotSent: There is none, or not within bounds: for the call that needs a token, nothing was sent.
    """
    try:
        answer = await egress.send(ask)
    except NotSent:
        raise
    except (ToolError, TimeoutError) as error:
        raise NotSent(f"the authorization server gave no answer: {error.args[0]}", code="oauth.lost") from None
    if answer.cut:
        raise NotSent(f"the authorization server answered more than {ask.answer_max} bytes", code="oauth.lost")
    return answer


def document_of(answer: Answer) -> dict[str, Any]:
    """The object that an answer is.

    Raises:
        NotSent: It is none.
    """
    try:
        said = parse_json(answer.body)
    except BadInput:
        said = None
    if not isinstance(said, dict):
        raise NotSent("the authorization server answered with what is no JSON object", code="oauth.metadata")
    return said


async def _first(egress: Egress, places: list[str]) -> dict[str, Any] | None:
    """The first document that is there; None where all places are empty."""
    for place in places:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        answer = await asked(egress, Ask(method="GET", url=place, headers=headers, answer_max=DOCUMENT_MAX))
        if answer.status == 200:
            return document_of(answer)
        if not 400 <= answer.status < 500:
            raise NotSent(f"metadata cannot be had: it was answered with {answer.status}", code="oauth.metadata")
    return None


async def _of_issuer(egress: Egress, issuer: str, places: list[str]) -> dict[str, Any]:
    """The metadata of an issuer, which name it.

    Raises:
        NotSent: There are none, or they name another.
    """
    said = await _first(egress, places)
    if said is None:
        raise NotSent(f"the issuer {issuer} publishes no metadata", code="oauth.metadata", remedy=_REMEDY)
    if said.get("issuer") != issuer:
        raise NotSent(
            "the metadata names another issuer than the settings", code="oauth.issuer",
            remedy="Write the issuer exactly as it names itself, if you know that this is it.",
        )  # fmt: skip
    return said


def _says_issuer(said: Mapping[str, Any]) -> bool:
    return said.get("authorization_response_iss_parameter_supported") is True


def _in_body(said: Mapping[str, Any]) -> bool:
    methods = _texts(said, "token_endpoint_auth_methods_supported")
    return "client_secret_post" in methods and "client_secret_basic" not in methods


def _resource(said: Mapping[str, Any] | None, url: str, issuer: str) -> str:
    """What tokens are asked for: what the resource calls itself, where that is it or stands above it.

    Raises:
        NotSent: It calls itself somebody else, or the operator's issuer is none of its.
    """
    if said is None:
        return url
    named = said.get("resource")
    if not isinstance(named, str) or not _above(named, url):
        raise NotSent("the server's metadata is about another resource", code="oauth.resource", remedy=_REMEDY)
    if issuer not in _texts(said, "authorization_servers"):
        raise NotSent(
            "the server's metadata does not name the issuer of the settings", code="oauth.issuer",
            remedy="Compare both with what the server's maker says.",
        )  # fmt: skip
    return named


def _above(named: str, url: str) -> bool:
    try:
        one, other = target_of(named), target_of(url)
    except NotSent:
        return False
    path = one.path.rstrip("/")
    return one.origin == other.origin and (other.path.rstrip("/") == path or other.path.startswith(f"{path}/"))


def _endpoint(said: Mapping[str, Any], name: str, reach: Reach, *, needed: bool = False) -> str:
    """An address of the metadata, checked as it is written; where it is dialled, what it leads to is checked too.

    Raises:
        NotSent: It is needed and not there, no web address, not https, or not public.
    """
    url = said.get(name)
    if url is None and not needed:
        return ""
    try:
        target = target_of(url if isinstance(url, str) else "")
        if target.scheme != "https" and not is_loopback(target.host):
            raise NotSent("it is not https")
        address = ipaddress.ip_address("127.0.0.1" if target.host == "localhost" else target.host)
        if why := reach.objection(target.host, address):
            raise NotSent(f"it is {why}")
    except NotSent as error:
        why = str(error.args[0]).rpartition(": ")[2]
        raise NotSent(f"{name} of the metadata cannot be used: {why}", code="oauth.metadata", remedy=_REMEDY) from None
    except ValueError:
        pass  # a name: what it leads to is checked when it is dialled
    assert isinstance(url, str), "it was read"
    return url


def _texts(said: Mapping[str, Any], key: str) -> list[str]:
    found = said.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _origin(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{target.scheme}://{host}:{target.port}"
