"""The secrets that the settings name, from the file to the call."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from interlock import Principal, Settings, load_settings, open_plane, tool
from interlock.core.held import HOLDING
from interlock.core.scrub import Scrubber
from interlock.errors import SettingsError
from interlock.secret_sources import keep_out_of_logs
from tests.net.test_vault import Server as Vault

VALUE = "sk_live_4f9aZ+/q"


@tool(effect="read", roles={"key": "credential"})
async def look(key: str) -> str:
    """Look.

    Args:
        key: The key.
    """
    return f"looked with {len(key)}: {key}"


@pytest.fixture
def as_before() -> Iterator[None]:
    """What a plane with secrets changes of the process, put back."""
    make, cores = logging.getLogRecordFactory(), resource.getrlimit(resource.RLIMIT_CORE)
    yield
    logging.setLogRecordFactory(make)
    resource.setrlimit(resource.RLIMIT_CORE, cores)


async def looked(settings: Settings, reference: str) -> object:
    async with (
        open_plane(settings, tools=[look]) as plane,
        plane.run(Principal("ana", roles=frozenset({"support"})), words="look") as run,
    ):
        outcome = await run.call("look", {"key": {"$secret": reference}})
        return outcome.value or outcome


@pytest.mark.parametrize("kept", ["env", "file"])
def test_a_secret_comes_from_where_the_settings_say(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_before: None
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "pay").write_text(f"{VALUE}\n")
    (folder / "pay").chmod(0o600)
    monkeypatch.setenv("PAY_KEY", VALUE)
    reference = "env://PAY_KEY" if kept == "env" else f"file://{folder}/pay"
    (tmp_path / "interlock.toml").write_text(
        f'[secrets]\nfolder = "secrets"\n[[secrets.allow]]\ntool = "look"\nreferences = ["{reference}"]\n'
    )
    settings = load_settings(tmp_path / "interlock.toml")
    assert anyio.run(looked, settings, reference) == f"looked with {len(VALUE)}: [secret]"
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    raw = b"".join(file.read_bytes() for file in tmp_path.rglob("ledger.db*"))
    assert VALUE.encode() not in raw and reference.encode() in raw


@pytest.mark.parametrize("login", ["token", "role"])
def test_a_secret_comes_from_the_vault_that_the_settings_name(login: str, tmp_path: Path, as_before: None) -> None:
    for name, text in (("vault.token", "root-token"), ("vault.secret-id", "secret-id-1")):
        (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / name).chmod(0o600)
    how = {"token": 'token_file = "vault.token"', "role": 'role_id = "role-1"\nsecret_id_file = "vault.secret-id"'}
    reference = "vault://kv/pay?version=2#key"
    server = Vault()
    with server.far_end as far_end:
        (tmp_path / "interlock.toml").write_text(
            f'[secrets.vault]\nurl = "{far_end.url}"\n{how[login]}\n'
            '[[secrets.allow]]\ntool = "look"\nreferences = ["vault://kv/pay#key"]\n'
        )
        settings = load_settings(tmp_path / "interlock.toml")
        assert anyio.run(looked, settings, reference) == f"looked with {len(VALUE)}: [secret]"
        assert "validate.secret" in repr(anyio.run(looked, settings, "vault://kv/gone#key"))
        server.tokens.clear()
        server.secret_ids.clear()
        refused = anyio.run(looked, settings, reference)
    assert "execute.secret" in repr(refused), "its end of the line is said, and nothing is remembered between processes"
    asked = [each.target for each in far_end.asked]
    assert "/v1/kv/data/pay?version=2" in asked and not any("gone" in target for target in asked)
    raw = b"".join(file.read_bytes() for file in tmp_path.rglob("ledger.db*"))
    for told in (VALUE, "root-token", "secret-id-1", "token-1"):
        assert told.encode() not in raw, told
    assert reference.encode() in raw


@pytest.mark.parametrize(
    "said",
    [
        'allow = [{tool = "look", references = []}]',
        'allow = [{tool = "look", references = ["env://*"]}]',
        'allow = [{tool = "look", references = ["vault://kv/pay?version=1#key"]}]',
        'allow = [{tool = "look", references = ["sk_live_4f9aZ"]}]',
        'allow = [{tool = "*", references = ["env://PAY_KEY"]}]',
        'vault = {url = "http://vault.example", token_file = "t"}',
        'vault = {url = "https://vault.example"}',
        'vault = {url = "https://vault.example", role_id = "r"}',
        'vault = {url = "https://vault.example", token_file = "t", role_id = "r", secret_id_file = "s"}',
        "timeout_s = 0",
    ],
)
def test_settings_that_cannot_be_meant_are_refused(said: str, tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text(f"[secrets]\n{said}\n")
    with pytest.raises(SettingsError, match="secrets"):
        load_settings(file)
    assert Settings().secrets.allow == ()


def test_what_is_logged_while_a_call_holds_a_secret_is_cleaned(
    caplog: pytest.LogCaptureFixture, as_before: None
) -> None:
    keep_out_of_logs()
    before = logging.getLogRecordFactory()
    keep_out_of_logs()
    assert logging.getLogRecordFactory() is before
    log = logging.getLogger("somewhere")
    with HOLDING.by("call_1", Scrubber([VALUE])):
        log.warning("GET https://api.example/?key=%s", VALUE)
        log.warning("%s and %d", VALUE)  # not what the format says
        try:
            raise ValueError(VALUE)
        except ValueError:
            log.exception("failed")
    log.warning("after")
    assert VALUE not in caplog.text and "key=[secret]" in caplog.text
    assert "ValueError: [secret]" in caplog.text and "after" in caplog.text and "withheld" in caplog.text
