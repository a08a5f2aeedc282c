"""What came of a suite, in the ledger: as it was written, within its tenant, rebuilt and erased like all else."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from interlock.core.canonical import canonical
from interlock.core.principal import Principal
from interlock.errors import NotFound
from interlock.ledger.evaluated import eval_chain, find_eval, keep_eval
from interlock.ledger.rebuild import differences
from interlock.ledger.redact import erase_subject, redact
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from tests.ledger.makers import EVALUATED, RUN, TENANT, started, to

pytestmark = pytest.mark.anyio

OPA = Principal("opa", TENANT, frozenset({"operator"}))


async def test_a_result_is_found_as_it_was_kept_by_its_tenant_alone(store: Store) -> None:
    kept = await keep_eval(store, "eval_1", OPA, EVALUATED)
    await keep_eval(store, "eval_2", OPA, replace(EVALUATED, suite="other"))
    await keep_eval(store, "eval_4", Principal("eve", "other"), EVALUATED)
    assert (kept.eval_id, kept.principal_id, kept.chain, kept.seq) == ("eval_1", "opa", "evals/acme", 1)
    found = await find_eval(store, TENANT, "eval_1")
    assert canonical(asdict(found.said)) == canonical(asdict(EVALUATED))
    for tenant, eval_id in (("other", "eval_1"), (TENANT, "eval_3")):
        with pytest.raises(NotFound):
            await find_eval(store, tenant, eval_id)


async def test_its_row_says_how_it_came_out_and_is_the_same_when_rebuilt(store: Store) -> None:
    kept = await keep_eval(store, "eval_1", OPA, EVALUATED)
    row = {
        "tenant": TENANT, "eval_id": "eval_1", "seq": 1, "at_us": kept.at_us, "principal_id": "opa", "suite": "desk",
        "suite_digest": "ab" * 32, "how": "recorded", "cases": 2, "trials": 3, "passed": 2, "met": 1,
    }  # fmt: skip
    assert await store.rows("eval") == [row]
    if isinstance(store, SqliteStore):
        assert await differences(store) == []
    await store.rebuild()
    assert await store.rows("eval", {"suite": "desk"}) == [row]


async def test_one_is_erased_by_its_number_and_the_others_stay(store: Store) -> None:
    for eval_id in ("eval_1", "eval_2"):
        await keep_eval(store, eval_id, OPA, EVALUATED)
    assert await redact(store, eval_chain(TENANT), [1], "a case names a customer", OPA) == [1]
    with pytest.raises(NotFound):
        await find_eval(store, TENANT, "eval_1")
    assert (await find_eval(store, TENANT, "eval_2")).seq == 2
    assert [row["eval_id"] for row in await store.rows("eval")] == ["eval_2"]
    with pytest.raises(NotFound):
        await redact(store, eval_chain(TENANT), [2], "not theirs", Principal("eve", "other", frozenset({"operator"})))


async def test_what_is_erased_of_a_person_leaves_the_results_that_they_had_kept(store: Store) -> None:
    """It is not about them."""
    person = {"id": "opa", "tenant": TENANT, "roles": [], "kind": "user"}
    await store.append(to(RUN, started(principal=person)))
    await keep_eval(store, "eval_1", OPA, EVALUATED)
    await erase_subject(store, "opa", "they left", OPA)
    assert (await find_eval(store, TENANT, "eval_1")).said.trials == 3
