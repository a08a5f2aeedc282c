"""What the far end did is witnessed: once per idempotency key, and whatever the caller was told."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from typing import Any

import pytest

from tests.examples.property_process import LEAK, VISIT, Reply, Service


def test_the_same_key_and_request_get_the_first_answer_and_have_one_effect(service: Service) -> None:
    with service.watched() as happened:
        first = service.post("/v1/maintenance-requests", LEAK, key="leak-1")
        again = service.post("/v1/maintenance-requests", LEAK | {"priority": "normal"}, key="leak-1")
    assert (again.status, again.body) == (first.status, first.body)
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == (None, "true")
    assert [effect["idempotency_key"] for effect in happened] == ["leak-1"]


def test_a_key_that_named_another_request_is_a_conflict(service: Service, tenant: dict[str, Any]) -> None:
    fees, fee = f"/v1/tenants/{tenant['id']}/late-fees", {"amount_cents": 100, "reason": "late"}
    with service.watched() as happened:
        service.post(fees, fee, key="fee-1")
        for path, body in (
            (fees, fee | {"amount_cents": 101}),
            ("/v1/tenants/20002/late-fees", fee),
            ("/v1/maintenance-requests", LEAK),
        ):
            assert service.post(path, body, key="fee-1").refusal == (409, "idempotency_key_reused")
    assert len(happened) == 1


def test_a_refused_request_leaves_its_key_to_the_mended_one(service: Service) -> None:
    unknown = service.post("/v1/maintenance-requests", LEAK | {"property_id": 9}, key="mended-1")
    assert unknown.refusal == (404, "property_not_found")
    assert service.post("/v1/maintenance-requests", LEAK, key="mended-1").status == 201


def test_many_at_once_with_one_key_have_one_effect(service: Service) -> None:
    replies: list[Reply] = []

    def submit() -> None:
        replies.append(service.post("/v1/maintenance-requests", LEAK, key="race-1"))

    with service.watched() as happened:
        threads = [threading.Thread(target=submit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(happened) == 1
    assert {(reply.status, reply.body["id"]) for reply in replies} == {(201, happened[0]["answer"]["id"])}


@pytest.mark.parametrize("key", ["", "two words", "x" * 201])
def test_a_key_that_is_no_key_is_refused(service: Service, key: str) -> None:
    reply = service.post("/v1/maintenance-requests", LEAK, key=key)
    assert reply.refusal == (400, "invalid_parameter")
    assert reply.body["field"] == "Idempotency-Key"


def test_every_change_can_be_looked_up_by_its_key(service: Service, paid: dict[str, Any]) -> None:
    tenant = f"/v1/tenants/{paid['tenant_id']}"
    notice = {"subject": "Rent", "message": "Thank you."}
    changes = (
        ("POST", "/v1/maintenance-requests", LEAK, "maintenance-requests"),
        ("POST", "/v1/calendar-events", VISIT, "calendar-events"),
        ("POST", f"{tenant}/notices", notice, "notices"),
        ("POST", f"{tenant}/late-fees", {"amount_cents": 5, "reason": "r"}, "late-fees"),
        ("POST", f"/v1/payments/{paid['id']}/refunds", {"amount_cents": 5, "reason": "r"}, "refunds"),
        ("DELETE", tenant, None, "tenant-deletions"),
    )
    for method, path, body, noun in changes:
        key = f"look/up {noun}".replace(" ", "-")
        by_key = f"/v1/{noun}/by-key/look%2Fup-{noun}"
        assert service.get(by_key).body == {"status": "absent"}
        answer = service.call(method, path, body, key=key)
        found = service.get(by_key).body
        assert (found["status"], found["answer"]) == ("done", answer.body)
    assert service.get("/v1/refunds/by-key/look%2Fup-notices").body == {"status": "absent"}


def test_an_effect_holds_what_was_asked_with_its_digest_and_the_answer(service: Service) -> None:
    with service.watched() as happened:
        reply = service.post("/v1/maintenance-requests", LEAK, key="witness-1")
    (effect,) = happened
    body = json.dumps(effect["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert effect["body"] == LEAK | {"priority": "normal"}
    assert effect["digest"] == hashlib.sha256(body.encode()).hexdigest()
    assert (effect["status"], effect["answer"]) == (201, reply.body)
    assert effect["at"].endswith("+00:00")


# Faults


def test_a_stall_after_the_effect_leaves_the_caller_without_an_answer_and_the_key_finds_it(
    service: Service, tenant: dict[str, Any]
) -> None:
    path, fee = f"/v1/tenants/{tenant['id']}/late-fees", {"amount_cents": 700, "reason": "stall"}
    service.arm("charge_late_fee", "stall_after_effect")
    with service.watched() as happened:
        with pytest.raises(TimeoutError):
            service.call("POST", path, fee, key="stall-1", timeout_s=0.3)
        found = service.get("/v1/late-fees/by-key/stall-1").body
        again = service.post(path, fee, key="stall-1")
    assert len(happened) == 1
    assert found["answer"] == again.body
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_stall_before_leaves_the_caller_without_an_answer_and_does_nothing(service: Service) -> None:
    service.arm("create_maintenance_request", "stall_before")
    with service.watched() as happened:
        with pytest.raises(TimeoutError):
            service.call("POST", "/v1/maintenance-requests", LEAK, key="stall-2", timeout_s=0.3)
        assert service.get("/v1/maintenance-requests/by-key/stall-2").body == {"status": "absent"}
    assert happened == []


def test_an_error_after_the_effect_says_500_though_it_was_done(service: Service) -> None:
    service.arm("create_maintenance_request", "error_after_effect")
    with service.watched() as happened:
        assert service.post("/v1/maintenance-requests", LEAK).refusal == (500, "internal_error")
    assert len(happened) == 1


def test_a_refusal_on_demand_is_typed_and_does_nothing(service: Service) -> None:
    service.arm("create_maintenance_request", "refuse")
    with service.watched() as happened:
        assert service.post("/v1/maintenance-requests", LEAK).refusal == (409, "not_at_present")
    assert happened == []
    assert service.post("/v1/maintenance-requests", LEAK).status == 201


def test_a_drop_before_hangs_up_and_does_nothing(service: Service) -> None:
    service.arm("create_maintenance_request", "drop_before", times=2)
    with service.watched() as happened:
        for _ in range(2):
            with pytest.raises(http.client.RemoteDisconnected):
                service.post("/v1/maintenance-requests", LEAK, key="drop-1")
        assert service.get("/v1/maintenance-requests/by-key/drop-1").body == {"status": "absent"}
        assert service.post("/v1/maintenance-requests", LEAK, key="drop-1").status == 201
    assert len(happened) == 1


def test_a_fault_spoils_its_own_endpoint_only_and_is_not_used_up_by_a_refused_request(service: Service) -> None:
    service.arm("create_maintenance_request", "error_after_effect")
    assert service.get("/v1/maintenance-requests").status == 200
    assert service.post("/v1/maintenance-requests", LEAK | {"property_id": 9}).status == 404
    armed = {"endpoint": "create_maintenance_request", "mode": "error_after_effect", "times": 1}
    assert service.get("/admin/faults").body == {"items": [armed]}
    service.arm("create_maintenance_request", "error_after_effect", times=0)
    assert service.post("/v1/maintenance-requests", LEAK).status == 201


def test_only_what_exists_can_be_armed(service: Service) -> None:
    for fault in (
        {"endpoint": "fly", "mode": "drop_before"},
        {"endpoint": "list_effects", "mode": "drop_before"},
        {"endpoint": "get_tenant", "mode": "burn"},
        {"endpoint": "get_tenant", "mode": "drop_before", "times": -1},
    ):
        assert service.post("/admin/faults", fault).refusal == (400, "invalid_parameter")
