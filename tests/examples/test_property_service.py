"""What the far end of the demonstration can do, asked over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.examples.property_process import LEAK, VISIT, Service


def test_the_ready_line_names_the_port_the_process_and_two_different_tokens(service: Service) -> None:
    assert service.ready.keys() == {"port", "token", "admin_token", "pid"}
    assert service.ready["pid"] == service.process.pid
    assert service.ready["token"] != service.ready["admin_token"]


def test_a_search_finds_every_word_in_any_case_within_one_city(service: Service) -> None:
    kingfisher = service.get("/v1/properties/1003").body
    found = service.get("/v1/properties?q=WINDMILL%20kingfisher&city=carrowmouth").body
    assert found == {"items": [kingfisher], "total": 1}
    assert service.get("/v1/properties?q=kingfisher&city=Dunhaven").body["items"] == []


def test_a_list_gives_at_most_fifty_and_says_how_many_there_are(service: Service) -> None:
    first = service.get("/v1/properties?limit=50").body
    rest = service.get("/v1/properties?limit=50&offset=100").body
    assert (len(first["items"]), first["total"]) == (50, 120)
    assert [row["id"] for row in rest["items"]] == list(range(1101, 1121))
    assert len(service.get("/v1/properties").body["items"]) == 20
    over = service.get("/v1/properties?limit=500")
    assert over.refusal == (400, "invalid_parameter")
    assert (over.body["field"], over.body["maximum"]) == ("limit", 50)


def test_a_name_where_a_numeric_id_belongs_is_refused_with_the_field(service: Service) -> None:
    reply = service.get("/v1/properties/Kingfisher%20House")
    assert reply.refusal == (400, "invalid_parameter")
    assert (reply.body["field"], reply.body["expected"]) == ("property_id", "integer")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/properties/9", "property_not_found"),
        ("/v1/properties/9/tenants", "property_not_found"),
        ("/v1/maintenance-requests?property_id=9", "property_not_found"),
        ("/v1/calendar-events?property_id=9", "property_not_found"),
        ("/v1/tenants/1003", "tenant_not_found"),
        ("/v1/tenants/1003/payments", "tenant_not_found"),
        ("/v1/payments/9", "payment_not_found"),
        ("/v1/directory/nobody@hearthside.example", "directory_entry_not_found"),
        ("/v1/landlords", "route_not_found"),
        ("/v1/properties/", "route_not_found"),
        ("/", "route_not_found"),
    ],
)
def test_what_is_not_there_is_a_404_that_says_what_is_missing(service: Service, path: str, code: str) -> None:
    assert service.get(path).refusal == (404, code)


def test_tenants_are_found_by_property_by_name_and_by_id(service: Service, tenant: dict[str, Any]) -> None:
    at_home = service.get(f"/v1/properties/{tenant['property_id']}/tenants").body
    assert tenant in at_home["items"]
    words = tenant["name"].lower().replace(" ", "+")
    assert service.get(f"/v1/tenants?q={words}").body == {"items": [tenant], "total": 1}
    assert service.get(f"/v1/tenants/{tenant['id']}").body == tenant


def test_payments_are_listed_by_tenant_and_read_by_id(service: Service, paid: dict[str, Any]) -> None:
    listed = service.get(f"/v1/tenants/{paid['tenant_id']}/payments").body["items"]
    assert paid in listed
    assert {payment["tenant_id"] for payment in listed} == {paid["tenant_id"]}


def test_maintenance_requests_are_listed_by_property_and_status(service: Service) -> None:
    assert service.get("/v1/maintenance-requests").body["total"] >= 150
    some = service.get("/v1/maintenance-requests?limit=1&status=open").body["items"][0]
    same_home = service.get(f"/v1/maintenance-requests?property_id={some['property_id']}&status=open").body
    assert some in same_home["items"]
    assert {(r["property_id"], r["status"]) for r in same_home["items"]} == {(some["property_id"], "open")}
    assert service.get("/v1/maintenance-requests?status=lost").refusal == (400, "invalid_parameter")


def test_the_directory_is_searched_by_role_and_read_by_email(service: Service) -> None:
    found = service.get("/v1/directory?q=plumber").body
    assert found["items"] == [
        {"name": "Brightwater Plumbing", "email": "jobs@brightwater-plumbing.example", "role": "plumber"}
    ]
    assert service.get("/v1/directory/jobs@brightwater-plumbing.example").body == found["items"][0]


# Changing


def test_a_maintenance_request_is_created_and_then_listed(service: Service) -> None:
    with service.watched() as happened:
        created = service.post("/v1/maintenance-requests", LEAK)
    expected = LEAK | {"id": created.body["id"], "priority": "normal", "status": "open"}
    assert (created.status, created.body) == (201, expected)
    assert expected in service.get("/v1/maintenance-requests?property_id=1003").body["items"]
    assert [effect["kind"] for effect in happened] == ["create_maintenance_request"]


def test_refunds_add_up_to_what_was_paid_and_never_to_more(service: Service, paid: dict[str, Any]) -> None:
    path, amount = f"/v1/payments/{paid['id']}", paid["amount_cents"]
    with service.watched() as happened:
        assert service.post(f"{path}/refunds", {"amount_cents": 1_000, "reason": "no heating"}).status == 201
        after_one = service.get(path).body
        over = service.post(f"{path}/refunds", {"amount_cents": amount, "reason": "again"})
        assert over.refusal == (422, "refund_exceeds_payment")
        assert over.body["refundable_cents"] == amount - 1_000
        service.post(f"{path}/refunds", {"amount_cents": amount - 1_000, "reason": "the rest"})
    after_all = service.get(path).body
    assert (after_one["status"], after_one["refunded_cents"]) == ("partially_refunded", 1_000)
    assert (after_all["status"], after_all["refunded_cents"]) == ("refunded", amount)
    assert [effect["body"]["amount_cents"] for effect in happened] == [1_000, amount - 1_000]


def test_a_payment_that_was_never_made_is_not_refunded(service: Service) -> None:
    payments = (service.get(f"/v1/payments/{id_}").body for id_ in range(500_001, 500_301))
    failed = next(payment for payment in payments if payment["status"] == "failed")
    with service.watched() as happened:
        reply = service.post(f"/v1/payments/{failed['id']}/refunds", {"amount_cents": 1, "reason": "kind"})
    assert reply.refusal == (409, "payment_not_paid")
    assert happened == []


def test_a_deleted_tenant_is_gone_and_their_payments_stay(service: Service, paid: dict[str, Any]) -> None:
    path = f"/v1/tenants/{paid['tenant_id']}"
    with service.watched() as happened:
        assert service.call("DELETE", path).body == {"id": paid["tenant_id"], "deleted": True}
        assert service.call("DELETE", path).refusal == (404, "tenant_not_found")
    assert service.get(path).refusal == (404, "tenant_not_found")
    assert service.get(f"/v1/payments/{paid['id']}").body == paid
    assert [effect["body"] for effect in happened] == [{"tenant_id": paid["tenant_id"]}]


def test_a_notice_goes_to_where_the_channel_reaches_the_tenant(service: Service, tenant: dict[str, Any]) -> None:
    path, notice = f"/v1/tenants/{tenant['id']}/notices", {"subject": "Water off", "message": "On Friday."}
    assert service.post(path, notice).body["recipient"] == tenant["email"]
    assert service.post(path, notice | {"channel": "sms"}).body["recipient"] == tenant["phone"]
    assert service.post(path, notice | {"channel": "pigeon"}).refusal == (400, "invalid_parameter")
    assert service.post("/v1/tenants/1/notices", notice).refusal == (404, "tenant_not_found")


def test_a_late_fee_asked_twice_without_a_key_is_charged_twice(service: Service, tenant: dict[str, Any]) -> None:
    path, fee = f"/v1/tenants/{tenant['id']}/late-fees", {"amount_cents": 2_500, "reason": "January"}
    with service.watched() as happened:
        ids = {service.post(path, fee).body["id"] for _ in range(2)}
        assert service.post(path, fee | {"amount_cents": 50_001}).refusal == (400, "invalid_parameter")
    assert len(ids) == 2
    assert [effect["kind"] for effect in happened] == ["charge_late_fee"] * 2


def test_a_visit_stands_in_the_calendar_at_its_time_in_utc(service: Service) -> None:
    created = service.post("/v1/calendar-events", VISIT)
    expected = VISIT | {"id": created.body["id"], "starts_at": "2026-02-03T09:00:00+00:00"}
    assert (created.status, created.body) == (201, expected)
    assert expected in service.get("/v1/calendar-events?property_id=1003").body["items"]


def test_an_attendee_whom_the_directory_does_not_know_is_named_in_the_refusal(service: Service) -> None:
    stranger = VISIT | {"attendees": [*VISIT["attendees"], "alex@nowhere.example"]}  # type: ignore[misc]
    with service.watched() as happened:
        reply = service.post("/v1/calendar-events", stranger)
    assert reply.refusal == (422, "attendee_unknown")
    assert reply.body["unknown"] == ["alex@nowhere.example"]
    assert happened == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts_at", "2026-02-03T10:00:00"),
        ("starts_at", "9999-99-99T99:99:00Z"),
        ("starts_at", "0001-01-01T00:00:00+10:00"),
        ("duration_min", True),
        ("duration_min", 45.0),
        ("duration_min", "45"),
        ("duration_min", 481),
        ("property_id", 2**63),
        ("title", " "),
        ("title", "\ud800"),
        ("title", None),
        ("attendees", []),
        ("attendees", ["a@b.example"] * 2),
        ("attendees", "a@b.example"),
    ],
)
def test_a_value_that_a_field_cannot_have_is_refused_by_name(service: Service, field: str, value: object) -> None:
    reply = service.post("/v1/calendar-events", VISIT | {field: value})
    assert reply.refusal == (400, "invalid_parameter")
    assert reply.body["field"] == field
