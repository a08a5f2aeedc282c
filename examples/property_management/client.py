"""The way to the service."""

from __future__ import annotations

from examples.client import Client, ServiceFault

__all__ = ["REASONS", "TOKEN", "URL", "ServiceFault", "delete", "get", "look_up", "post", "post_without_key"]

URL, TOKEN = "PROPERTY_SERVICE_URL", "PROPERTY_SERVICE_TOKEN"
"""Environment variables that say where the service is and let us in."""

REASONS = {
    "property_not_found": "there is no property with this id",
    "tenant_not_found": "there is no tenant with this id",
    "lease_not_found": "there is no lease with this id",
    "tenant_exists": "there is a tenant with this address already",
    "payment_not_found": "there is no payment with this id",
    "directory_entry_not_found": "nobody in the directory has this address",
    "payment_not_paid": "this payment was never made, so nothing of it can be given back",
    "refund_exceeds_payment": "this is more than is left of the payment",
    "attendee_unknown": "somebody who is to attend is not in the directory",
    "not_at_present": "the service cannot do this at present",
    "invalid_parameter": "the service does not accept one of the values",
    "idempotency_key_reused": "the service knows this call's key from another request",
    "unauthorized": "the service does not let this deployment in",
    "forbidden": "the service does not let this deployment in",
}
"""Refusals that the service documents, in our words: its own are no text for a model."""

_SERVICE = Client(URL, TOKEN, REASONS)

get, look_up, post, delete = _SERVICE.get, _SERVICE.look_up, _SERVICE.post, _SERVICE.delete
post_without_key = _SERVICE.post_without_key
