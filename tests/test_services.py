"""Services in the settings: what they become, what is refused at the start, and a call by way of a settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from interlock import Principal, Settings, open_plane
from interlock.compose import World
from interlock.errors import InterlockError, SettingsError
from interlock.services import import_services
from interlock.settings import load_settings
from tests.net.far_ends import FarEnd, said
from tests.sources.documents import TLS, at_once, document, operation

AT = {"url": "https://{at}.example/v1", "variables": {"at": {"default": "pets"}}}
LIST = document({"/pets": {"get": operation(operationId="listPets")}}, servers=[AT])


def settings(folder: Path, **more: Any) -> Settings:
    (folder / "pets.json").write_bytes(LIST)
    one = {"name": "pets", "openapi": "pets.json", "base_url": "https://pets.example", **more}
    return Settings(ledger=None, mode="evaluate_only", folder=folder, services=[one])


@pytest.mark.anyio
async def test_a_service_of_the_settings_file_is_called_with_the_secret_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "pets.json").write_bytes(LIST)
    (tmp_path / "pets.key").write_text("s3cr3t\n")
    (tmp_path / "pets.key").chmod(0o600)
    with FarEnd() as shop:
        (tmp_path / "interlock.toml").write_text(
            f'[[services]]\nname = "pets"\nopenapi = "pets.json"\nbase_url = "{shop.url}v1"\n'
            '[[services.auth]]\nkind = "bearer"\nkey_file = "pets.key"\n'
        )
        shop.replies.append(said(["Rex"]))
        read = await anyio.to_thread.run_sync(load_settings, tmp_path / "interlock.toml")
        async with (
            open_plane(read, engine=False) as plane,
            plane.run(Principal("u1", roles=frozenset({"clerk"}))) as run,
        ):
            assert (await run.call("pets__listPets")).value == ["Rex"]
            (tmp_path / "pets.key").write_text("an0ther\n")
            await run.call("pets__listPets")
    assert [each.headers["authorization"] for each in shop.asked] == ["Bearer s3cr3t", "Bearer an0ther"]
    assert shop.asked[0].target == "/v1/pets"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"base_url": ""}, "settings.service"),
        ({"base_url": "http://pets.example"}, "settings.url"),
        ({"base_url": "https://u:p@pets.example"}, "settings.url"),
        ({"base_url": "https://pets.example/../x"}, "settings.service"),
        ({"base_url": "https://pets.example/?x=1"}, "settings.service"),
        ({"openapi": "none.json"}, "settings.service"),
        ({"effects": {"sellPets": "read"}}, "settings.service"),
        ({"only": ["sell*"]}, "settings.service"),
        ({"reach": ["not a host"]}, "settings.reach"),
    ],
)
def test_what_is_not_acceptable_of_a_service_refuses_to_start(tmp_path: Path, more: dict[str, Any], code: str) -> None:
    with pytest.raises(SettingsError) as refused:
        import_services(settings(tmp_path, **more), tls=TLS)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "more",
    [{"name": "local"}, {"name": "a b"}, {"prefix": "1"}, {"prefix": "a" * 50}, {"auth": [{"kind": "bearer"}]},
     {"auth": [{"kind": "basic", "key_file": "k"}]}, {"auth": [{"kind": "header", "key_file": "k"}]},
     {"auth": [{"kind": "bearer", "name": "x", "key_file": "k"}]}, {"effects": {"a": "harmless"}}, {"typo": 1}],
)  # fmt: skip
def test_a_key_or_value_that_a_service_may_not_have_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="services"):
        settings(tmp_path, **more)


def test_plain_http_goes_to_this_machine_and_to_a_host_that_was_allowed(tmp_path: Path) -> None:
    for url, allow in (("http://127.0.0.1:8080", []), ("http://pets.internal", ["pets.internal"])):
        assert import_services(settings(tmp_path, base_url=url, reach=allow), tls=TLS).tools
    with pytest.raises(SettingsError):
        import_services(settings(tmp_path, base_url="http://pets.internal", reach=["other.internal"]), tls=TLS)


def test_the_server_of_a_document_is_believed_only_where_the_operator_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        import_services(settings(tmp_path, base_url=""), tls=TLS)
    [tool] = import_services(settings(tmp_path, base_url="", document_server=True), tls=TLS).tools
    assert tool.claims["url"] == "https://pets.example/v1/pets"
    [tool] = import_services(settings(tmp_path, document_server=True), tls=TLS).tools
    assert tool.claims["url"] == "https://pets.example/pets"


@pytest.mark.anyio
async def test_a_document_cannot_have_this_machine_called(tmp_path: Path) -> None:
    with FarEnd() as canary:
        own = settings(tmp_path, base_url="", document_server=True)
        (tmp_path / "pets.json").write_bytes(
            document({"/p": {"get": operation(operationId="p")}}, servers=[{"url": canary.url}])
        )
        world = World(pause=at_once)
        async with (
            open_plane(own, world=world, engine=False) as plane,
            plane.run(Principal("u1", roles=frozenset({"clerk"}))) as run,
        ):
            assert (await run.call("pets__p")).kind == "failed"
    assert canary.connections == 0


def test_two_services_of_one_name_or_a_service_and_a_server_are_refused(tmp_path: Path) -> None:
    one = settings(tmp_path).services[0]
    with pytest.raises(InterlockError, match="'pets' is the name of two"):
        import_services(Settings(ledger=None, folder=tmp_path, services=[one, one]), tls=TLS)
    server = {"name": "pets", "url": "https://pets.example"}
    with pytest.raises(InterlockError, match="'pets' is the name of two"):
        import_services(Settings(ledger=None, folder=tmp_path, services=[one], servers=[server]), tls=TLS)
