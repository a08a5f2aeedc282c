"""The idempotency key: made before the first byte leaves, one per call, the same for every attempt."""

from __future__ import annotations

from interlock.core.call import ValidCall
from interlock.core.canonical import canonical, keyed


def idempotency_key(deployment_key: bytes, valid: ValidCall) -> str:
    """HMAC-SHA256 of tenant, run, call and call digest under the deployment's key, 64 hexadecimal digits.

    The same after a crash, another for another deployment, and no help in guessing anybody else's.
    """
    call = valid.call
    text = canonical([call.principal.tenant, call.run_id, call.call_id, valid.digest])
    return keyed(deployment_key, text).hex()
