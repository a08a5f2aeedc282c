"""`[verify]`: the settings become a verifier, or an error that says which key."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from interlock import Settings, World
from interlock.compose import open_verification
from interlock.core.tool import Effect
from interlock.errors import MissingExtra, SettingsError
from interlock.settings import load_settings
from interlock.testing import CountedIds, FrozenClock
from interlock.verification.verdict import Word
from interlock.verification.verify import Verification
from tests.models.provider import provider
from tests.models.test_pydantic_ai import answering
from tests.planes import Far, staged
from tests.verification.readers import VERIFIED
from tests.verification.test_model_verifier import question

pytestmark = pytest.mark.anyio

CHECKS = """
def small(view):
    return None if view.arguments["n"] < 10 else "ten or more"

RULES = (small,)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "checks_of_test.py").write_text(CHECKS)
    (tmp_path / "no_rules_of_test.py").write_text("RULES = 'none'")
    key = tmp_path / "provider.key"
    key.write_text("sk-canary\n")
    key.chmod(0o600)
    yield tmp_path
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]
    for name in ("checks_of_test", "no_rules_of_test"):
        sys.modules.pop(name, None)


async def opened(folder: Path, **verify: Any) -> Verification:
    """What such settings open, in a thread, because files are read."""
    settings = Settings(folder=folder, ledger=None, verify=verify)  # type: ignore[arg-type]  # pydantic reads it
    world = World(clock=FrozenClock(), new_id=CountedIds())
    return await anyio.to_thread.run_sync(open_verification, settings, world)


async def test_without_anything_said_there_is_no_verifier(folder: Path) -> None:
    assert await opened(folder) == Verification()


async def test_rules_of_a_module_verify_on_the_whole_path(folder: Path) -> None:
    far = Far()
    settings = {"verify": {"rules": ["checks_of_test"]}}
    async with staged(far.tool("put", "reversible"), ledger=folder / "l.db", settings=settings) as stage:
        stage.obey(VERIFIED)
        async with stage.run() as run:
            assert (await run.call("put", {"n": 1})).done
            refused = await run.call("put", {"n": 12})
            assert (refused.code, "ten or more" in refused.message) == ("verify.rejected", True)


async def test_the_identity_of_rules_changes_with_their_text(folder: Path) -> None:
    first = (await opened(folder, rules=["checks_of_test"])).verifier
    (folder / "checks_of_test.py").write_text(CHECKS.replace("10", "20"))
    second = (await opened(folder, rules=["checks_of_test"])).verifier
    assert first is not None
    assert second is not None
    assert first.identity != second.identity
    assert first.identity.startswith("rules:checks_of_test/")


async def test_rules_and_a_model_must_both_approve(folder: Path) -> None:
    with provider(answering("openai", verdict="approved", confidence=85)) as server:
        verification = await opened(
            folder, rules=["checks_of_test"], model="openai:gpt-4o", base_url=server.url, key_file="provider.key",
            thresholds={"reversible": 80}, review="approver",
        )  # fmt: skip
        assert verification.verifier is not None
        verdict = await verification.verifier(question())
        assert (verdict.verdict, verdict.confidence) == (Word.APPROVED, 85)
        assert verdict.micro_usd > 0, "by the list price"
        assert "sk-canary" not in json.dumps(verdict.as_json())
        assert server.headers[0]["authorization"] == "Bearer sk-canary"
        assert (await verification.verifier(question({"n": 12}))).verdict is Word.REJECTED
        assert len(server.asked) == 1, "what a rule rejects no model reads"
        assert (await verification.verifier(question())).cached_ms == 0
    assert verification.thresholds == {Effect.REVERSIBLE: 80}
    assert verification.review == "approver"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"rules": ["no_such_module"]}, "verify.rules: cannot import"),
        ({"rules": ["no_rules_of_test"]}, "has no RULES"),
        ({"rules": ["checks_of_test"], "thresholds": {"read": 5}}, "verify.thresholds"),
        ({"model": "gpt-4o"}, "verify.model"),
        ({"model": "openai:gpt-4o"}, "verify.key_file"),
        ({"model": "openai:gpt-4o", "key_file": "absent.key"}, "no secret"),
        ({"model": "openai:unheard-of", "key_file": "provider.key"}, "price"),
    ],
)
async def test_what_is_wrong_with_them_is_said_by_key(folder: Path, said: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        await opened(folder, **said)


async def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "provider.key").chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it"):
        await opened(folder, model="openai:gpt-4o", key_file="provider.key")


async def test_without_the_extra_a_model_is_an_error_that_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    monkeypatch.delitem(sys.modules, "interlock.models.pydantic_ai", raising=False)
    with pytest.raises(MissingExtra, match=r"interlock\[llm\]"):
        await opened(folder, model="openai:gpt-4o", key_file="provider.key")


async def test_a_price_that_is_said_wins_over_the_list(folder: Path) -> None:
    with provider(answering("openai", verdict="approved")) as server:
        verification = await opened(
            folder, model="openai:unheard-of", base_url=server.url, price_input=0, price_output=10**6
        )
        assert verification.verifier is not None
        assert (await verification.verifier(question())).micro_usd == 7


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("thresholds = { irreversible = 101 }", "from 0 to 100"),
        ("thresholds = { dangerous = 80 }", "dangerous"),
        ("modell = 'openai:x'", "Did you mean 'model'"),
        ("timeout_s = 0", "timeout_s"),
    ],
)
def test_the_file_says_what_it_may_not_say(tmp_path: Path, line: str, what: str) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text(f"[verify]\n{line}\n")
    with pytest.raises(SettingsError, match=what):
        load_settings(file)
