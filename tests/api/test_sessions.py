"""Sessions and links of two workers over one ledger, without anything that sticks to one of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.api.links import LIFE_S, Links, admin_link, link_url
from interlock.api.sessions import (
    AGAIN_S,
    ATTRIBUTES,
    COOKIE,
    Proof,
    Session,
    Sessions,
    Terms,
    bytes_of,
    cookie_of,
    reauthenticated,
    set_cookie,
    text_of,
    unset_cookie,
)
from interlock.api.who import Who
from interlock.core.event import Kind
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import InterlockError, NotEntitled
from interlock.key_ring import KeyPeople, KeyRing
from interlock.keys import CONSOLE, READ, TOOLS, Key, Keys
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import tenant_chain
from interlock.sign_ins import IssuedPeople, SignedIn
from interlock.testing import FrozenClock

MARIA = Principal("maria", roles=frozenset({"approver"}))
ADA = Principal("ada", roles=frozenset({"admin"}))
GINA = Principal("gina", roles=frozenset({"approver", "viewer"}))
"""Whom an issuer knows."""

ISSUER = "https://login.example"
SECRET = b"d" * 32
TERMS = Terms(issuer=ISSUER, roles=frozenset({"approver", "viewer"}))

pytestmark = pytest.mark.anyio


@dataclass
class Worker:
    """One process: nothing of it is shared but the files."""

    store: SqliteStore
    sessions: Sessions
    links: Links
    people: IssuedPeople


@dataclass
class Deployment:
    """Two workers over one ledger."""

    keys: Keys
    clock: FrozenClock
    one: Worker
    other: Worker

    async def key(self, person: Principal, *scopes: str) -> str:
        """Give somebody a key; its text."""
        return await to_thread.run_sync(lambda: self.keys.add(person, scopes or (CONSOLE,), self.clock.wall_us()))

    async def proof(self, person: Principal, *scopes: str) -> Proof:
        """Somebody who typed a fresh key of theirs."""
        text = await self.key(person, *scopes)
        found = await to_thread.run_sync(lambda: self.keys.find(text, self.clock.wall_us()))
        return Proof(principal=found.principal, by="key", key_id=found.id, since_us=self.clock.wall_us())

    async def signed_in(self, person: Principal = MARIA) -> tuple[Session, str]:
        """Somebody's session, opened in the first worker."""
        return await self.one.sessions.open(await self.proof(person))

    async def revoke(self, which: str) -> None:
        """Revoke a key by its id, or all of somebody's."""
        await to_thread.run_sync(self.keys.revoke, which, FIRST_TENANT)


@asynccontextmanager
async def deployed(folder: Path, terms: Terms = TERMS) -> AsyncIterator[Deployment]:
    clock = FrozenClock()

    def worker() -> Worker:
        store = SqliteStore(folder / "ledger.db", clock, os.urandom)
        ring, signed_in = KeyRing(folder / "keys.json", clock), SignedIn(store)
        sessions = Sessions(signed_in, ring, SECRET, clock, os.urandom, terms)
        people = IssuedPeople(KeyPeople(ring), signed_in, clock, terms.roles)
        return Worker(store, sessions, Links(SECRET, clock, os.urandom), people)

    one, other = await to_thread.run_sync(worker), await to_thread.run_sync(worker)
    try:
        yield Deployment(Keys(folder / "keys.json"), clock, one, other)
    finally:
        await one.store.close()
        await other.store.close()


async def refused(sessions: Sessions, cookie: str) -> str:
    with pytest.raises(NotEntitled) as error:
        await sessions.find(cookie)
    return error.value.code


async def test_a_session_is_known_to_every_worker_and_says_who_somebody_is_now(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, cookie = await at.signed_in()
        found = await at.other.sessions.find(cookie)
        assert found == session
        who = found.who({"approver"})
        assert who == Who(
            principal=MARIA, scopes=frozenset({"console"}), by="session", since_us=session.since_us,
            session_id=session.id, approvers=frozenset({"approver"}),
        )  # fmt: skip
        who.require("decide")
        assert who.tenant == FIRST_TENANT


async def test_whoever_signs_out_is_out_in_every_worker(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, cookie = await at.signed_in()
        _, second = await at.signed_in()
        await at.other.sessions.find(cookie)
        await at.one.sessions.end(session.who(()))
        await at.other.sessions.end(session.who(()))
        for worker in (at.one, at.other):
            assert await refused(worker.sessions, cookie) == "session.over"
            await worker.sessions.find(second)
        kinds = [event.fact.kind for event in await at.one.store.read(tenant_chain(FIRST_TENANT))]
        assert kinds == [Kind.SESSION_OPENED, Kind.SESSION_OPENED, Kind.SESSION_ENDED], "once is enough"


async def test_all_of_somebodys_sessions_end_together_and_nobody_elses(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        one, first = await at.signed_in()
        _, second = await at.signed_in()
        admin, kept = await at.signed_in(ADA)
        viewer = replace(one, principal=Principal("vera", roles=frozenset({"viewer"}))).who(())
        with pytest.raises(NotEntitled):
            await at.other.sessions.end_all("maria", viewer)
        await at.other.sessions.end_all("maria", admin.who(()))
        for worker in (at.one, at.other):
            assert {await refused(worker.sessions, each) for each in (first, second)} == {"session.over"}
            await worker.sessions.find(kept)
        at.clock.advance(1)
        _, later = await at.signed_in()
        own = await at.one.sessions.find(later)
        await at.one.sessions.end_all("maria", own.who(()))
        assert await refused(at.other.sessions, later) == "session.over"


async def test_whoever_has_no_key_any_more_is_out_at_once(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, cookie = await at.signed_in()
        await at.other.sessions.find(cookie)
        await at.revoke("maria")
        assert await refused(at.other.sessions, cookie) == "session.over"
        with pytest.raises(NotEntitled):
            await at.one.sessions.open(
                Proof(principal=MARIA, by="key", key_id=session.key_id, since_us=at.clock.wall_us())
            )


async def test_a_session_is_over_with_the_key_that_opened_it_although_there_are_others(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, cookie = await at.signed_in()
        _, other = await at.signed_in()
        await at.revoke(session.key_id)
        assert await refused(at.other.sessions, cookie) == "session.over"
        await at.other.sessions.find(other)


async def test_roles_are_those_of_now(tmp_path: Path) -> None:
    """T24: who was an approver when they signed in, and is none any more, decides nothing."""
    async with deployed(tmp_path) as at:
        _, cookie = await at.signed_in()
        text = (tmp_path / "keys.json").read_text()
        await to_thread.run_sync((tmp_path / "keys.json").write_text, text.replace('"approver"', '"viewer", "auditor"'))
        found = await at.other.sessions.find(cookie)
        assert found.principal.roles == {"viewer", "auditor"}
        with pytest.raises(NotEntitled):
            found.who({"approver"}).require("decide")


@pytest.mark.parametrize("scope", [TOOLS, READ])
async def test_a_key_that_is_not_for_the_console_opens_no_session(scope: str, tmp_path: Path) -> None:
    """T24: an agent that has a key in its hands signs in with it nowhere."""
    async with deployed(tmp_path) as at:
        with pytest.raises(NotEntitled):
            await at.one.sessions.open(await at.proof(MARIA, scope))
        assert await at.one.store.read(tenant_chain(FIRST_TENANT)) == []


async def test_a_session_is_over_after_an_hour_without_a_request_and_after_twelve_at_the_latest(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, cookie = await at.signed_in()
        assert at.one.sessions.again(session) is None
        at.clock.advance(AGAIN_S)
        renewed = at.one.sessions.again(session)
        assert renewed is not None
        at.clock.advance(3600 - AGAIN_S)
        assert await refused(at.one.sessions, cookie) == "session.over"
        held = renewed
        for _ in range(11):
            found = await at.other.sessions.find(held)
            held = at.other.sessions.again(found) or held
            at.clock.advance(3599)
        assert (await at.one.sessions.find(held)).opened_us == session.opened_us
        held = at.one.sessions.again(await at.one.sessions.find(held)) or held
        at.clock.advance(3000)
        assert await refused(at.one.sessions, held) == "session.over"


async def test_a_clock_that_is_set_back_opens_nothing_for_longer(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        at.clock.advance(7200)
        _, cookie = await at.signed_in()
        at.clock.jump_wall(-3600)
        assert await refused(at.one.sessions, cookie) == "session.over"


async def test_a_cookie_of_another_deployment_or_of_another_purpose_is_nobodys(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        _, cookie = await at.signed_in()
        link = at.one.links.make((await to_thread.run_sync(at.keys.all)).popitem()[1])
        ring = KeyRing(tmp_path / "keys.json", at.clock)
        elsewhere = Sessions(SignedIn(at.one.store), ring, b"e" * 32, at.clock, os.urandom, TERMS)
        assert await refused(elsewhere, cookie) == "session.over"
        assert await refused(at.one.sessions, link) == "session.over"
        with pytest.raises(NotEntitled):
            at.one.links.open(cookie)
        for nothing in ("", "é", "A", "AAAA", "=" * 40, cookie + "=", cookie + "A", cookie[:-1], cookie * 40):
            assert await refused(at.one.sessions, nothing) in ("session.over", "session.missing")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_of_a_cookie_opens_anything(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """T25: whatever is put into a cookie that was not sealed here is nobody's, and never an error of another kind."""

    async def tried() -> None:
        async with deployed(tmp_path_factory.mktemp("tampered")) as at:
            _, cookie = await at.signed_in()
            for _ in range(20):
                place = data.draw(st.integers(0, len(cookie) - 1))
                other = data.draw(st.text(max_size=3) | st.sampled_from("AZaz09-_=+/"))
                changed = data.draw(
                    st.sampled_from([cookie[:place] + other + cookie[place + 1 :], cookie[:place], cookie[place:]])
                )
                if changed != cookie:
                    assert await refused(at.one.sessions, changed) in ("session.over", "session.missing")

    anyio.run(tried)


async def test_a_form_is_of_its_session_and_of_no_other(tmp_path: Path) -> None:
    """T25: cross-site requests."""
    async with deployed(tmp_path) as at:
        session, _ = await at.signed_in()
        other, _ = await at.signed_in()
        token = at.one.sessions.csrf(session.id)
        assert token == at.other.sessions.csrf(session.id)
        assert token != at.one.sessions.csrf(other.id)
        ring = KeyRing(tmp_path / "keys.json", at.clock)
        elsewhere = Sessions(SignedIn(at.one.store), ring, b"e" * 32, at.clock, os.urandom, TERMS)
        assert elsewhere.csrf(session.id) != token


async def test_what_is_privileged_asks_for_who_somebody_is_anew(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        session, _ = await at.signed_in()
        who, now_us = session.who(()), at.clock.wall_us()
        assert reauthenticated(who, now_us + 900_000_000, 900)
        assert not reauthenticated(who, now_us + 900_000_001, 900)
        assert not reauthenticated(who, now_us - 1, 900), "a proof of times to come is none"
        assert not reauthenticated(replace(who, since_us=0), now_us, 900), "an issuer that does not say when"


def test_the_cookie_is_bound_to_this_host_and_to_no_script() -> None:
    assert COOKIE == "__Host-interlock"
    for said in (set_cookie("x"), unset_cookie()):
        assert all(word in said for word in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict")), said
        assert "Domain" not in said
    assert set_cookie("x") == f"{COOKIE}=x; {ATTRIBUTES}"
    assert "Max-Age=0" in unset_cookie()


def test_a_cookie_that_stands_twice_is_nobodys() -> None:
    assert cookie_of("a=b; __Host-interlock=x; c=d") == "x"
    assert cookie_of("__Host-interlock=x; __Host-interlock=y") == ""
    assert cookie_of("") == cookie_of("a=b") == cookie_of("x__Host-interlock=x") == ""


# --------------------------------------------------------------------------------------------------------- links


async def link_of(at: Deployment, person: Principal = MARIA) -> str:
    text = await at.key(person)
    return at.one.links.make(await to_thread.run_sync(lambda: at.keys.find(text, at.clock.wall_us())))


async def test_a_link_signs_in_once_over_all_workers(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        link = await link_of(at)
        session, cookie = await at.one.sessions.open(at.one.links.open(link))
        assert session.principal == MARIA
        await at.other.sessions.find(cookie)
        for worker in (at.one, at.other):
            with pytest.raises(NotEntitled) as error:
                await worker.sessions.open(worker.links.open(link))
            assert error.value.code == "auth.used"


async def test_of_two_workers_that_race_for_a_link_one_has_it(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        for _ in range(8):
            link, won, lost = await link_of(at, ADA), [], []

            async def use(worker: Worker, link: str, won: list[str], lost: list[str]) -> None:
                try:
                    won.append((await worker.sessions.open(worker.links.open(link)))[1])
                except NotEntitled as error:
                    lost.append(error.code)

            async with anyio.create_task_group() as tasks:
                for worker in (at.one, at.other, at.one, at.other):
                    tasks.start_soon(use, worker, link, won, lost)
            assert (len(won), lost) == (1, ["auth.used"] * 3)


async def test_a_link_is_past_after_a_quarter_of_an_hour_and_dies_with_its_key(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        link = await link_of(at)
        at.clock.advance(LIFE_S - 1)
        proof = at.one.links.open(link)
        await at.revoke(proof.key_id)
        with pytest.raises(NotEntitled):
            await at.one.sessions.open(proof)
        at.clock.advance(1)
        with pytest.raises(NotEntitled) as error:
            at.one.links.open(link)
        assert error.value.code == "auth.link"


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 400), other=st.characters())
def test_no_change_of_a_link_opens_anything(place: int, other: str) -> None:
    clock = FrozenClock()
    links = Links(SECRET, clock, os.urandom)
    key = replace(_key(), id="key:00000000")
    link = links.make(key)
    assert links.open(link).principal == Principal("maria")
    place %= len(link)
    changed = link[:place] + other + link[place + 1 :]
    if changed != link:
        with pytest.raises(NotEntitled):
            links.open(changed)


async def test_a_clock_that_is_set_back_lengthens_no_link(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        link = await link_of(at)
        at.clock.jump_wall(-10)
        with pytest.raises(NotEntitled) as error:
            at.one.links.open(link)
        assert error.value.code == "auth.link"


def test_what_is_sealed_has_one_spelling() -> None:
    assert (text_of(b"a"), bytes_of("YQ")) == ("YQ", b"a")
    with pytest.raises(ValueError, match="another spelling"):
        bytes_of("YR")  # a reader that drops what does not fill a byte takes it for the same


async def test_an_agents_key_makes_no_link(tmp_path: Path) -> None:
    """T24."""
    async with deployed(tmp_path) as at:
        text = await at.key(MARIA, TOOLS)
        key = await to_thread.run_sync(lambda: at.keys.find(text, at.clock.wall_us()))
        with pytest.raises(NotEntitled) as error:
            at.one.links.make(key)
        assert error.value.code == "auth.scope"


async def test_the_link_of_the_start_is_an_administrators_with_a_key_for_the_console(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        ring = KeyRing(tmp_path / "keys.json", at.clock)
        assert await admin_link(at.one.links, ring, at.clock.wall_us()) is None
        await at.key(MARIA)
        await at.key(Principal("aaa", roles=ADA.roles), TOOLS)
        assert await admin_link(at.one.links, ring, at.clock.wall_us()) is None
        now_us = at.clock.wall_us()
        past = Principal("aba", roles=ADA.roles)
        await to_thread.run_sync(lambda: at.keys.add(past, (CONSOLE,), now_us - 2, now_us - 1))
        assert await admin_link(at.one.links, ring, now_us) is None
        await at.key(Principal("zoe", roles=ADA.roles))
        await at.key(ADA)
        link = await admin_link(at.one.links, ring, at.clock.wall_us())
        assert link is not None
        session, _ = await at.other.sessions.open(at.other.links.open(link))
        assert session.principal == ADA
        assert link_url("http://127.0.0.1:8722", link).startswith("http://127.0.0.1:8722/sign-in?link=")


# ------------------------------------------------------------------------------------------------------- an issuer's


def by_issuer(at: Deployment, person: Principal = GINA, once: str = "a") -> Proof:
    return Proof(principal=person, by="oidc", issuer=ISSUER, since_us=at.clock.wall_us(), once=once)


async def test_whom_an_issuer_knows_has_the_roles_that_it_said_and_the_settings_still_give(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        await at.key(ADA)
        session, cookie = await at.one.sessions.open(by_issuer(at, replace(GINA, roles=GINA.roles | {"admin"})))
        assert session.principal.roles == {"approver", "viewer"}
        assert (await at.other.sessions.find(cookie)).principal == GINA
        ring, signed_in = KeyRing(tmp_path / "keys.json", at.clock), SignedIn(at.other.store)
        for terms in (Terms(), replace(TERMS, issuer="https://other.example")):
            other = Sessions(signed_in, ring, SECRET, at.clock, os.urandom, terms)
            assert await refused(other, cookie) == "session.over", "nobody's people sign in by that issuer any more"
        fewer = Sessions(signed_in, ring, SECRET, at.clock, os.urandom, replace(TERMS, roles=frozenset({"viewer"})))
        assert (await fewer.find(cookie)).principal.roles == {"viewer"}


async def test_whom_an_issuer_calls_like_somebody_with_a_key_is_neither(tmp_path: Path) -> None:
    """T24: a second way to be somebody would be a second voice."""
    async with deployed(tmp_path) as at:
        session, cookie = await at.one.sessions.open(by_issuer(at))
        await at.key(Principal("gina", roles=frozenset({"admin"})))
        assert await refused(at.other.sessions, cookie) == "auth.taken"
        with pytest.raises(NotEntitled):
            await at.one.sessions.open(by_issuer(at, once="b"))
        assert session.issuer == ISSUER


async def test_people_of_an_issuer_are_entitled_for_as_long_as_their_session_could_last(tmp_path: Path) -> None:
    """T24: what they answered counts in every process, and no longer than that."""
    async with deployed(tmp_path) as at:
        await at.key(ADA)
        assert await at.other.people.now(GINA) is None
        await at.one.sessions.open(by_issuer(at))
        assert await at.other.people.now(GINA) == GINA
        assert await at.other.people.now(replace(GINA, tenant="other")) is None, "T35"
        assert await at.other.people.now(replace(GINA, kind="service")) is None
        assert await at.other.people.now(ADA) == ADA
        at.clock.advance(TERMS.life_s)
        assert await at.other.people.now(GINA) is None
        session, _ = await at.one.sessions.open(by_issuer(at, once="b"))
        assert await at.other.people.now(GINA) == GINA
        await at.other.sessions.end_all("gina", session.who(()))
        assert await at.one.people.now(GINA) is None


async def test_an_issuers_person_decides_by_no_role_that_the_settings_give_no_more(tmp_path: Path) -> None:
    """T24: what was recorded at their sign-in is held against the settings of now, by the gates as by the pages."""
    async with deployed(tmp_path) as at:
        await at.key(ADA)
        await at.one.sessions.open(by_issuer(at))
        ring, signed_in = KeyRing(tmp_path / "keys.json", at.clock), SignedIn(at.other.store)
        fewer = IssuedPeople(KeyPeople(ring), signed_in, at.clock, frozenset({"viewer"}))
        assert await fewer.now(GINA) == replace(GINA, roles=frozenset({"viewer"}))


async def test_whose_keys_are_revoked_decides_nothing_although_they_signed_in_with_one(tmp_path: Path) -> None:
    """T24: that somebody signed in is remembered of an issuer's people alone."""
    async with deployed(tmp_path) as at:
        await at.signed_in()
        await at.key(ADA)
        await at.revoke("maria")
        assert await at.other.people.now(MARIA) is None


async def test_what_cannot_be_found_out_lets_nobody_in(tmp_path: Path) -> None:
    async with deployed(tmp_path) as at:
        _, cookie = await at.signed_in()
        await to_thread.run_sync((tmp_path / "keys.json").chmod, 0o644)
        await to_thread.run_sync(os.utime, tmp_path / "keys.json", (1, 1))
        with pytest.raises(InterlockError):
            await at.other.sessions.find(cookie)


async def test_a_session_of_one_tenant_is_none_of_another(tmp_path: Path) -> None:
    """T35: the same id in another tenant is somebody else, whose sessions nobody here ends."""
    async with deployed(tmp_path) as at:
        _, cookie = await at.signed_in(Principal("maria", "other", MARIA.roles))
        admin, _ = await at.signed_in(ADA)
        await at.one.sessions.end_all("maria", admin.who(()))
        found = await at.other.sessions.find(cookie)
        assert found.who(()).tenant == "other"


def _key() -> Key:
    return Key(MARIA, frozenset({CONSOLE}))
