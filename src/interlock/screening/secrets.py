"""Secrets in a text: by the shapes that providers give them, and by what stands beside them.

A shape alone is enough where the provider made it so: a prefix that nothing else has, a checksum, the lines of a key.
Elsewhere a value counts that stands behind a name such as `token` or `password` and is as random as a made one. A
placeholder is none: repeated characters, words, references to variables.

Every quantifier is bounded and none is nested, so that the time for a text grows with its length alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2
from typing import Final, NamedTuple


class Span(NamedTuple):
    """A part of a text.

    Attributes:
        start, end: Where it stands.
        what: Which kind of thing it is.
    """

    start: int
    end: int
    what: str


_PREFIXES: Final = {
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "anthropic": r"sk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{60,140}",
    "openai": r"sk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9_-]{20,160}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255}",
    "gitlab": r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[A-Za-z0-9_.-]{20,300}",
    "slack": r"xox[abeoprsc](?:\.xox[bp])?-(?:[0-9]{1,14}-){0,4}[A-Za-z0-9/+-]{8,255}|xapp-[0-9]-[A-Za-z0-9-]{20,255}",
    "slack_webhook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,90}",
    "stripe": r"(?:sk|rk|pk)_(?:test|live|prod)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9+/=]{20,100}",
    "google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,400}|GOCSPX-[A-Za-z0-9_-]{20,40}",
    "sendgrid": r"SG\.[A-Za-z0-9_=.-]{60,80}",
    "brevo": r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    "twilio": r"(?:SK|AC)[0-9a-f]{32}",
    "shopify": r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    "databricks": r"dapi[0-9a-f]{32}(?:-[0-9])?",
    "huggingface": r"hf_[A-Za-z0-9]{34}|api_org_[A-Za-z]{34}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-AgEI[A-Za-z0-9_-]{50,1000}",
    "rubygems": r"rubygems_[a-f0-9]{48}",
    "digitalocean": r"do[oprt]_v1_[a-f0-9]{64}",
    "doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9]{40,44}",
    "linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}",
    "notion": r"ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43}",
    "vault": r"hv[sbr]\.[A-Za-z0-9_-]{24,300}",
    "dynatrace": r"dt0[a-z][0-9]{2}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}",
    "grafana": r"gl(?:c|sa)_[A-Za-z0-9+/_]{32,400}",
    "postman": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "newrelic": r"NR(?:AK|II|JS)-[A-Za-z0-9]{19,40}",
    "sentry": r"sntrys_[A-Za-z0-9+/=_-]{80,400}|sntryu_[a-f0-9]{64}",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}",
    "pulumi": r"pul-[a-f0-9]{40}",
    "readme": r"rdme_[a-z0-9]{70}",
    "scalingo": r"tk-us-[A-Za-z0-9_-]{48}",
    "settlemint": r"sm_(?:pat|sat|aat)_[A-Za-z0-9]{16}",
    "shippo": r"shippo_(?:live|test)_[a-f0-9]{40}",
    "duffel": r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}",
    "flutterwave": r"FLW(?:PUB|SEC)K_TEST-[a-h0-9]{12,32}(?:-X)?",
    "mailgun": r"(?:pub)?key-[a-f0-9]{32}",
    "harness": r"[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
    "heroku": r"HRKU-AA[A-Za-z0-9_-]{40,70}",
    "infracost": r"ico-[A-Za-z0-9]{32}",
    "octopus": r"API-[A-Z0-9]{26}",
    "artifactory": r"cmVmd[A-Za-z0-9]{59}|AKCp[A-Za-z0-9]{69}",
    "square": r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,60}|EAAA[A-Za-z0-9_-]{22,60}",
    "facebook": r"EAA[MC][A-Za-z0-9]{100,400}|[0-9]{15,16}(?:\||%7C)[A-Za-z0-9_-]{27,40}",
    "yandex": r"YC[A-Za-z0-9_-]{38}",
    "telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "jwt": r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",
    "airtable": r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
    "azure": r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
}  # fmt: skip
"""Provider to the shape of its secrets: what those who make them say of them."""

_SHAPED: Final = re.compile(
    r"(?<![A-Za-z0-9_])(?:" + "|".join(f"(?P<{name}>{shape})" for name, shape in _PREFIXES.items()) + r")"
    r"(?![A-Za-z0-9])"
)
_KEY: Final = re.compile(r"-----BEGIN[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = re.compile(r"-----END[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_KEY_MAX: Final = 16 << 10
_KEY_MIN: Final = 64

_NAME: Final = re.compile(
    r"token|secret|passw(?:or)?d|passphrase|passcode|pwd|api[_.\- ]?key|access[_.\- ]?key|private[_.\- ]?key|key"
    r"|credentials?|auth|sonar|snyk|hubspot|sumo(?:logic)?[_.\- ]?(?:access[_.\- ]?)?id",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"[A-Za-z0-9_.\-]{0,24}[\\\"'`\])]{0,8}(?:[ \t]{1,4}(?:string|str|is|was|are))?\s{0,8}"
    r"(?:\?=|:=|=>|={1,3}|:{1,2}|,|>|\|\||(?<=is)|(?<=was))[\s\\\"'`]{0,16}"
    r"(?P<value>[A-Za-z0-9_.+/=~|@!%^&*#-]{8,512})"
)
_BASIC: Final = re.compile(
    r"(?:basic|bearer|token|apikey)[ \t]{1,4}(?P<value>[A-Za-z0-9_.+/=~-]{8,2048})", re.IGNORECASE
)
_USER: Final = re.compile(
    r"(?<![\w-])(?:-u|--user|--proxy-user)[ =]{0,3}[\"']?[^\s:\"'$<{\[]{0,80}:[\"']?(?P<value>[^\s\"'<{\[]{3,120})"
)
_IN_URL: Final = re.compile(
    r"(?<=://)[A-Za-z0-9._~%-]{1,80}:(?P<value>[^\s:/@\"'<>${}\[\]]{3,120})@[A-Za-z0-9.-]{1,253}"
)
_SUMO_ID: Final = 14
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HOLDERS: Final = re.compile(
    r"x{4,}|\*{3,}|\.{3,}|example|placeholder|changeme|your[_-]|dummy|redacted|0{8,}|a{8,}|user:?pass|foo|xxx",
    re.IGNORECASE,
)

_NO_SECRET: Final = re.compile(
    r"public|csrf|credentials?_?-?id|client_?-?id$|key_?-?(?:id|name|size|length|file|word|board|store|press|selector|tag"
    r"|vault|pair|chars|str|map|code|frame|of)|keyword|author|token_?-?(?:url|file|type|izer|s_?used|count)|accessor"
    r"|monkey|turkey|keying|version|secrets?_?-?(?:id|name|size|length)|schemakey|bucket_?key|idempotency|sequencekey"
    r"|(?:next|page|paging|continuation|sync|resume|delta|change|skip|cache|partition|sort|foreign|primary|object|row"
    r"|issue|project|group|sumif)[_.\- ]?(?:page)?[_.\- ]?(?:token|key)"
    r"|sumof|checksum|authsource|authentication-results|api-?name|hash|digest|etag|cursor",
    re.IGNORECASE,
)


_SURE: Final = re.compile(r"token|secret|pass|pwd|api|access|private|credential|auth|sonar|sumo|snyk", re.IGNORECASE)
_KEY_LEAST: Final = 20
_UNDIVIDED: Final = frozenset("/.")

_NAMES: Final = r"(?i:token|secret|passw|passphrase|passcode|pwd|key|credential|auth|sonar|snyk|hubspot|sumo)"

STOPS: Final = (
    *_PREFIXES.values(),
    r"PRIVATE KEY",
    _NAMES + r"[A-Za-z0-9_.\-]{0,24}[\\\"'`\])]{0,8}(?:[ \t]{1,4}(?:string|str|String|is|was|are))?"
    r"\s*[=:,>|?s\s]{1,4}[\s\\\"'`\[]*[A-Za-z0-9_.+/=~|@!%^&*#-]{12}",
    r"\"(?:name|key)\":\s*\"[^\"]{0,64}" + _NAMES,
    r"(?i:basic|bearer|token|apikey)[ \t]+[A-Za-z0-9_.+/=~-]{8}",
    r"(?:-u|--user|--proxy-user)[ =]",
    r"://[A-Za-z0-9._~%-]{1,80}:[^\s:/@]{3,120}@",
)
"""Where none of it is, there is no secret that this page knows."""


_UNSHAPED: Final = ("named", "authorization", "login")


def secrets_in(text: str, name: str = "") -> list[Span]:
    """Where secrets stand in a text, in order and not over each other.

    Args:
        name: What the text is the value of, such as the key of an object; empty for none.
    """
    every = {*_shaped(text), *_keys(text), *_beside(text), *_of_name(text, name)}
    found = sorted(every, key=lambda span: (span.start, span.what in _UNSHAPED, span))
    apart: list[Span] = []
    for span in found:
        if apart and span.start < apart[-1].end:
            if span.end > apart[-1].end:
                apart[-1] = apart[-1]._replace(end=span.end)
            continue
        apart.append(span)
    return apart


def _shaped(text: str) -> Iterator[Span]:
    for match in _SHAPED.finditer(text):
        if _is_made(match[0]):
            yield Span(match.start(), match.end(), str(match.lastgroup))


def _keys(text: str) -> Iterator[Span]:
    """Private keys: from their first line to their last, or to the end where that is missing."""
    for match in _KEY.finditer(text):
        end = _KEY_END.search(text, match.end(), match.end() + _KEY_MAX)
        stop = end.end() if end else min(len(text), match.end() + _KEY_MAX)
        if (end.start() if end else stop) - match.end() >= _KEY_MIN:
            yield Span(match.start(), stop, "private_key")


def _beside(text: str) -> Iterator[Span]:
    """What stands behind a name, a scheme or a user."""
    looked_at = 0
    for name in _NAME.finditer(text):
        match = _NAMED.match(text, name.end()) if name.start() >= looked_at else None
        if match:  # a name within a value is a part of it
            looked_at = match.end("value")
        if match and _is_random(match["value"], _name_around(text, name)):
            yield Span(match.start("value"), match.end("value"), "named")
    for pattern, what in ((_BASIC, "authorization"), (_USER, "login"), (_IN_URL, "login")):
        for match in pattern.finditer(text):
            if _is_login(match["value"]) if what == "login" else _is_random(match["value"], "token"):
                yield Span(match.start("value"), match.end("value"), what)


def _of_name(text: str, name: str) -> Iterator[Span]:
    """The whole text, where it is the value of a name."""
    if name and len(text) <= 512 and " " not in text and _NAME.search(name) and _is_random(text, name):
        yield Span(0, len(text), "named")


def _name_around(text: str, match: re.Match[str]) -> str:
    """The identifier that a word is part of."""
    start, end = match.span()
    while start > 0 and match.start() - start < 40 and (text[start - 1].isalnum() or text[start - 1] in "_-."):
        start -= 1
    while end < len(text) and end - match.end() < 24 and (text[end].isalnum() or text[end] in "_-."):
        end += 1
    return text[start:end]


def _is_random(value: str, name: str) -> bool:
    value = value.rstrip(".,;:!")
    if len(value) < 8 or _NO_SECRET.search(name) or _HOLDERS.search(value) or "://" in value:
        return False
    if _UUID.fullmatch(value):
        return True
    if not _SURE.search(name) and (len(value) < _KEY_LEAST or not _UNDIVIDED.isdisjoint(value)):
        return False
    letters = sum(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    if not digits:
        if "sumo" in name.lower():
            return len(value) == _SUMO_ID and value.startswith("su")
        return len(value) >= 20 and _bits(value) >= 3.8 and "." not in value and "/" not in value
    if not letters:
        return len(value) >= 17 and value.isdigit() and _bits(value) >= 2.5
    if len(value) < 12:
        return False
    return _bits(value) >= (3.0 if len(value) >= 16 else 2.9) and not _is_worded(value)


def _is_worded(value: str) -> bool:
    """Whether it is words and numbers with something between: a path, a version, the name of something."""
    parts = re.split(r"[-_./:]", value)
    return len(parts) > 1 and all(part.isalpha() or part.isdigit() or len(part) < 6 for part in parts)


def _is_made(value: str) -> bool:
    body = value[-24:]
    return (
        len(set(body)) >= 8
        and not re.search(r"([xX*a0_.])\1{5}", value)
        and any(map(str.isdigit, value[4:])) | (_bits(value) > 3.8)
    )


def _is_login(value: str) -> bool:
    return not value.startswith(("$", "<", "{", "[", "*")) and not re.fullmatch(
        r"(?i)pass(?:word)?|token|yyy|xxx|test|secret|\W+", value
    )


def _bits(value: str) -> float:
    """Bits of entropy of one character, by how often each is there."""
    size = len(value)
    return -sum(count / size * log2(count / size) for count in Counter(value).values())
