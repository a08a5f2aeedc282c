"""Where secrets are kept: the environment, and files beneath one folder that lead nowhere else (T22)."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from interlock.core.secret import Reference, reference_of
from interlock.errors import SecretError
from interlock.net.resolve import FILE_MAX, Environment, Files, Sources

pytestmark = pytest.mark.anyio

VALUE = "sk_live_4f9aZ+/q"


def written(path: Path, text: str = VALUE, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


async def read(folder: Path, path: Path | str, field: str = "") -> str:
    return await Files(folder).secret(reference_of(f"file://{path}" + (f"#{field}" if field else "")))


async def test_a_file_is_a_secret_whole_or_by_field(tmp_path: Path) -> None:
    assert await read(tmp_path, written(tmp_path / "a", f"{VALUE}\n")) == VALUE
    assert await read(tmp_path, written(tmp_path / "b/c.json", f'{{"key": "{VALUE}"}}'), "key") == VALUE
    several = "-----BEGIN-----\nabcdefgh\n-----END-----\n"
    assert await read(tmp_path, written(tmp_path / "pem", several)) == several.removesuffix("\n")


async def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "in-evil"
    written(inside / "own")
    written(outside / "key")
    (inside / "link").symlink_to(outside / "key")
    (inside / "own_link").symlink_to(inside / "own")
    (inside / "folder").symlink_to(outside)
    for path in (outside / "key", inside / "link", inside / "own_link", inside / "folder/key", inside, tmp_path):
        with pytest.raises(SecretError):
            await read(inside, path)
    with pytest.raises(SecretError):
        await Files(inside).secret(Reference("x", "file", f"{inside}/../in-evil/key"))


async def test_a_file_that_others_may_read_is_no_secret(tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o644):
        with pytest.raises(SecretError, match="chmod 600") as refused:
            await read(tmp_path, written(tmp_path / "a", mode=mode))
        assert VALUE not in str(refused.value)


async def test_what_is_no_file_or_has_no_such_text_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    (tmp_path / "raw").write_bytes(b"\xff" * 20)
    (tmp_path / "raw").chmod(0o600)
    written(tmp_path / "large", "x" * (FILE_MAX + 1))
    written(tmp_path / "n.json", f'{{"n": 12345678, "deep": {{"key": "{VALUE}"}}}}')
    written(tmp_path / "twice.json", f'{{"key": "{VALUE}", "key": "other_one"}}')
    for name, field in (
        ("pipe", ""), ("folder", ""), ("raw", ""), ("large", ""), ("none", ""), ("n.json", "n"), ("n.json", "deep"),
        ("n.json", "none"), ("raw", "key"), ("twice.json", "key"),
    ):  # fmt: skip
        with pytest.raises(SecretError) as refused:
            await read(tmp_path, tmp_path / name, field)
        assert VALUE not in str(refused.value) and "12345678" not in str(refused.value)


async def test_variables_are_read_when_they_are_asked_for() -> None:
    values = {"PAY_KEY": VALUE, "BYTES": "\udcff" * 9}
    source = Environment(lambda names: {name: values[name] for name in names if name in values})
    assert await source.secret(reference_of("env://PAY_KEY")) == VALUE
    for name in ("OTHER", "BYTES"):
        with pytest.raises(SecretError):
            await source.secret(reference_of(f"env://{name}"))


class Slow:
    async def secret(self, reference: Reference) -> str:
        await anyio.sleep_forever()
        return VALUE


async def test_what_nothing_keeps_or_is_not_there_in_time_is_said() -> None:
    sources = Sources({"env": Slow()}, timeout_s=0.01)
    with pytest.raises(SecretError, match="not there within") as late:
        await sources.secret(reference_of("env://PAY_KEY"))
    with pytest.raises(SecretError, match="nothing keeps vault secrets"):
        await sources.secret(reference_of("vault://kv/pay#key"))
    assert late.value.code == "secret.timeout"
