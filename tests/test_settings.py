"""Settings: one file and a few variables; what is not understood refuses to start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlock.errors import SettingsError
from interlock.settings import FILE, Settings, kept_keys, key_file, load_settings, typed_key


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("INTERLOCK_CONFIG", "INTERLOCK_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def written(text: str, folder: Path) -> Path:
    file = folder / FILE
    folder.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def refused(text: str, folder: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(text, folder))
    return caught.value


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.folder == tmp_path
    assert settings.mode == "enforce"
    assert settings.at(settings.ledger or Path()) == tmp_path / ".interlock/ledger.db"
    assert settings.policy is settings.pins is None


def test_paths_start_where_the_file_stands_and_the_nearest_file_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written('ledger = "data/l.db"', tmp_path)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    settings = load_settings()
    assert settings.folder == tmp_path
    assert settings.state_folder == tmp_path / "data"
    written('mode = "evaluate_only"', tmp_path / "a")
    assert load_settings().mode == "evaluate_only"


def test_a_named_file_counts_before_the_variable_and_the_variable_before_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("limits.calls_max = 1", tmp_path)
    monkeypatch.setenv("INTERLOCK_CONFIG", str(written("limits.calls_max = 2", tmp_path / "b")))
    assert load_settings().limits.calls_max == 2
    assert load_settings(written("limits.calls_max = 3", tmp_path / "c")).limits.calls_max == 3


@pytest.mark.parametrize(
    "text",
    [
        'modes = "enforce"',
        "[limit]\ncalls_max = 1",
        "[limits]\ncall_max = 1",
        'allowed_domains = ["a"]',
        'folder = "/"',
    ],
)
def test_a_key_that_nobody_reads_refuses_to_start(text: str, tmp_path: Path) -> None:
    """T34, defect 19: an unread key is an error, and the message names file and key."""
    error = refused(text, tmp_path)
    assert FILE in str(error)
    assert text.split(" ")[0].strip("[]").split("]")[0] in str(error)


@pytest.mark.parametrize(
    "text",
    [
        'mode = "observe"',
        "mode = true",
        "limits.calls_max = 0",
        "limits.calls_max = -1",
        'limits.calls_max = "200"',
        "limits.calls_max = true",
        "limits.calls_max = 1.5",
        "limits.alike_max = 1000000",
        "cache.entries_max = -1",
        'cache.bytes_max = "1 GiB"',
        "ledger = 5",
        'tools = "one.module"',
        "tools = [1]",
        "limits = 5",
    ],
)
def test_a_value_of_another_kind_refuses_to_start(text: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path).code == "settings.value"


@pytest.mark.parametrize("text", ["mode = ", "a = 1\na = 2", "\x00", "[limits"])
def test_what_is_no_toml_refuses_to_start(text: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path).code == "settings.syntax"


def test_a_file_that_cannot_be_read_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(SettingsError):
        load_settings(tmp_path)
    file = tmp_path / "latin.toml"
    file.write_bytes(b'mode = "\xff"')
    with pytest.raises(SettingsError):
        load_settings(file)


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().mode = "evaluate_only"


def test_a_key_is_typed_in_the_variable_and_the_files_are_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed_key() == "" and kept_keys() == []
    key_file().parent.mkdir(parents=True)
    key_file().write_text("ilk_newest\nilk_older\n")
    assert typed_key() == "" and kept_keys() == ["ilk_newest", "ilk_older"]
    monkeypatch.setenv("INTERLOCK_KEY", "ilk_env")
    assert typed_key() == "ilk_env"
    assert os.environ["XDG_CONFIG_HOME"] in str(key_file())
