"""Canaries, the forms in which far ends repeat them, and what to look for; written apart from what takes them out."""

from __future__ import annotations

import base64
import json
import random
import string
from urllib.parse import quote

FORMS = ("exact", "base64", "base64url", "hex", "url", "json", "reversed", "split")


def canary(number: int, seed: int) -> str:
    """A secret that occurs nowhere else: two random halves, with what every escaping changes between them."""
    dice = random.Random(f"{seed}/{number}")
    first, last = ("".join(dice.choices(string.ascii_letters + string.digits, k=14)) for _ in range(2))
    return f'{first}/+"\\ü&={last}'


def said(form: str, secret: str) -> list[str]:
    """The texts with which a far end repeats a secret."""
    match form:
        case "exact":
            return [f"the key is {secret} indeed"]
        case "base64":
            return [base64.b64encode(f"user:{secret}".encode()).decode()]
        case "base64url":
            return [base64.urlsafe_b64encode(f"ab:{secret}:".encode()).decode()]
        case "hex":
            return [f"0x{secret.encode().hex()}"]
        case "url":
            return [f"https://far.example/?key={quote(secret, safe='')}&x=1"]
        case "json":
            return [json.dumps({"key": secret})]
        case "reversed":
            return [secret[::-1]]
    return [f"it begins {secret[:18]}", f"{secret[18:]} is its end"]


def traces(form: str, secret: str) -> list[bytes]:
    """What would show that it was repeated so, whatever escaped it afterwards."""
    first, last = secret[:14], secret[-14:]
    match form:
        case "base64":
            found = [base64.b64encode(f"user:{secret}".encode()).decode()[8:-8]]
        case "base64url":
            found = [base64.urlsafe_b64encode(f"ab:{secret}:".encode()).decode()[8:-8]]
        case "hex":
            found = [first.encode().hex(), last.encode().hex()]
        case "reversed":
            found = [first[::-1], last[::-1]]
        case "url":
            found = [quote(secret, safe=""), first, last]
        case "json":
            found = [json.dumps(secret)[1:-1], first, last]
        case _:
            found = [first, last]
    return [each.encode() for each in found]
