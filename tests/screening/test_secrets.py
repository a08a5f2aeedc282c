"""Secrets in a text: by their shapes, by what stands beside them, and nothing that only looks long."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.screening.secrets import STOPS, secrets_in
from interlock.screening.sieve import sieve_of

RANDOM = "q7Zt2mXw9KpL4vRb8NcY1sHd"
SECRETS = [
    f"ghp_{RANDOM}{RANDOM[:12]}",
    "AKIA" + "QX7ZT2MWKPL4VRBN",
    f"xoxb-263594206564-{RANDOM}",
    f"sk_live_{RANDOM}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{RANDOM * 5}\n-----END RSA PRIVATE KEY-----",
    f"https://hooks.slack.com/services/T02ABCDEF/B02ABCDEF/{RANDOM}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{RANDOM}",
    f"api_key = {RANDOM}",
    f'"client_secret": "{RANDOM}"',
    f"Authorization: Bearer {RANDOM}",
    f"postgres://app:{RANDOM}@db.internal:5432/x",
    f"curl -u me:{RANDOM} https://x.example",
    "DB_PASSWORD='x7Gq2mLw9Kp4'",
    "snyk_token: 12345678-abcd-abcd-abcd-1234567890ab",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_found_where_it_stands(text: str) -> None:
    [span] = secrets_in(f"first {text} last")
    found = f"first {text} last"[span.start : span.end]
    assert found in text
    assert len(found) >= 12
    assert sieve_of(STOPS).stops(text)


@pytest.mark.parametrize(
    "text",
    [
        "the password is alice.m.123", "token: <your token>", "api_key=$API_KEY", "token = xxxxxxxxxxxxxxxxxxxxxxxx",
        "next_page_token: CAoQAAx7Gq2mLw9Kp4vRb8NcY", "commit 43fc912ef59a83054ea7f6706df4d53a7dea4d80",
        "id 29f63271-dc2f-4734-8221-5b31b5169bac", "credentialsId: '29f63271-dc2f-4734-8221-5b31b5169bac'",
        "https://x.example/a/b/c/d?page=12&sort=name", "GB29NWBK60161331926819",
        "key: PROJ-1234", '"login": "octocat2024abcd"',
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "S3 key: uploads/2024/ab12cd34ef56.png", "author = james.fake9@ymail.com",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_left(text: str) -> None:
    assert secrets_in(text) == []


def test_a_value_is_judged_by_its_name() -> None:
    assert [span.what for span in secrets_in(RANDOM, "session_token")] == ["named"]
    assert secrets_in(RANDOM, "commit") == []
    assert secrets_in(RANDOM, "next_page_token") == []


@given(st.lists(st.sampled_from([*SECRETS, "token=", "key: ", " ", "\n", RANDOM, "-----BEGIN", "password is "])))
def test_spans_are_in_order_and_apart_and_the_sieve_lets_nothing_by(parts: list[str]) -> None:
    text = "".join(parts)
    spans = secrets_in(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(span.start < span.end for span in spans)
    if spans:
        assert sieve_of(STOPS).stops(text)


@pytest.mark.parametrize(
    "text",
    ["token" * 13_000, "key=" * 16_000, "a" * 65_536, "eyJ" * 20_000, "://a:" * 13_000, "-u " * 20_000,
     "xoxb-1-" * 9_000,
     "-----BEGIN PRIVATE KEY-----" * 2_400, "sk-" * 20_000, "A1" * 32_000, "auth " + "." * 60_000],
    ids=range(11),
)  # fmt: skip
def test_no_text_makes_the_search_slow(text: str) -> None:
    """T31: no quantifier is nested, and all are bounded; a text of 64 KiB costs CPU time in proportion."""
    began = time.process_time()
    secrets_in(text)
    assert time.process_time() - began < 2.5  # the slowest takes a tenth of it
