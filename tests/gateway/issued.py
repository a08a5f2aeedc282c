"""An issuer of tokens that a test owns: its keys, and tokens signed with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://login.example"
AUDIENCE = "https://gateway.example/mcp"


class Issuer:
    """Signs."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {
            "RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }  # fmt: skip

    def publish(self, file: Path, *algorithms: str) -> Path:
        """Write the public keys of these."""
        makers: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        keys = [
            {**json.loads(makers[name].to_jwk(self.keys[name].public_key())), "kid": name, "use": "sig"}
            for name in algorithms or self.keys
        ]
        file.write_text(json.dumps({"keys": keys}))
        return file

    def token(self, now_s: float, algorithm: str = "RS256", *, kid: str = "", key: Any = None, **changed: Any) -> str:
        """A token of Ada's with these claims changed; None leaves one out."""
        said = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now_s - 5, "nbf": now_s - 5, "exp": now_s + 300,
            "scope": "openid calls", **changed,
        }  # fmt: skip
        claims = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(claims, key or self.keys[algorithm], algorithm, headers={"kid": kid or algorithm})
