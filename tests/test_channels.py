"""Channels as the settings name them: what is refused at the start, and secrets that are shown nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interlock import Settings
from interlock.channels import open_channels
from interlock.errors import SettingsError
from interlock.notices.mail import Mail
from interlock.notices.webhook import Webhook, key_of
from interlock.settings import load_settings

HOOK: dict[str, Any] = {"name": "hook", "url": "https://hooks.example/T0/s3cr3t"}
MAIL: dict[str, Any] = {"name": "ops", "host": "mail.example", "from": "i@example.com", "to": ["o@example.com"]}


def opened(folder: Path, **notify: Any) -> list[Any]:
    return list(open_channels(Settings(folder=folder, notify=notify)))  # type: ignore[arg-type]


def private(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_every_channel_that_is_named_is_opened(tmp_path: Path) -> None:
    hook, mail = opened(
        tmp_path, webhooks=[HOOK | {"kinds": ["call.unknown"], "groups": ["g"], "tenants": ["t"]}], mail=[MAIL]
    )
    assert isinstance(hook, Webhook) and isinstance(mail, Mail)
    assert (hook.name, mail.name) == ("hook", "ops")
    assert hook.audience.kinds == {"call.unknown"} and hook.audience.groups == {"g"} and hook.audience.tenants == {"t"}
    assert mail.server.tls == "starttls" and mail.server.port == 587


def test_a_secret_that_is_missing_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    [first], [again] = opened(tmp_path, webhooks=[HOOK]), opened(tmp_path, webhooks=[HOOK])
    file = tmp_path / ".interlock" / "webhook-hook.key"
    assert first.key == again.key == key_of(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_address_and_a_password_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    private(tmp_path / "hook.url", "https://hooks.example/T0/s3cr3t\n")
    private(tmp_path / "mail.password", "s3cr3t\n")
    hook, mail = opened(
        tmp_path,
        webhooks=[{"name": "hook", "url_file": "hook.url"}],
        mail=[MAIL | {"user": "me", "password_file": "mail.password"}],
    )
    assert hook.url == "https://hooks.example/T0/s3cr3t" and mail.server.password == "s3cr3t"
    for file in ("hook.url", "mail.password"):
        (tmp_path / file).chmod(0o640)
        with pytest.raises(SettingsError) as refused:
            opened(
                tmp_path,
                webhooks=[{"name": "hook", "url_file": "hook.url"}],
                mail=[MAIL | {"user": "me", "password_file": "mail.password"}],
            )
        assert refused.value.code == "settings.mode" and "chmod 600" in str(refused.value)
        (tmp_path / file).chmod(0o600)


def test_no_secret_is_in_the_text_of_anything(tmp_path: Path) -> None:
    """T32: settings, channels and what they are made of say no address, key or password."""
    private(tmp_path / "mail.password", "s3cr3t\n")
    notify: dict[str, Any] = {
        "proxy": "http://127.0.0.1:1/s3cr3t", "webhooks": [HOOK],
        "mail": [MAIL | {"user": "me", "password_file": "mail.password"}],
    }  # fmt: skip
    settings = Settings(folder=tmp_path, notify=notify)  # type: ignore[arg-type]
    channels = open_channels(settings)
    key = (tmp_path / ".interlock" / "webhook-hook.key").read_text().strip()
    for shown in (repr(settings), str(settings), repr(channels), str(settings.model_dump())):
        assert "s3cr3t" not in shown and key not in shown and repr(key_of(key)) not in shown


@pytest.mark.parametrize(
    ("notify", "code"),
    [
        ({"webhooks": [HOOK | {"url": "http://hooks.example/s3cr3t"}]}, "settings.url"),
        ({"webhooks": [{"name": "hook"}]}, "settings.url"),
        ({"webhooks": [HOOK | {"url_file": "x"}]}, "settings.url"),
        ({"webhooks": [{"name": "hook", "url_file": "absent"}]}, "settings.mode"),
        ({"webhooks": [HOOK | {"secret_file": "bad.key"}]}, "notify.secret"),
        ({"webhooks": [HOOK], "proxy": "ftp://x/"}, "settings.url"),
        ({"webhooks": [HOOK], "mail": [MAIL | {"name": "hook"}]}, "settings.channel"),
        ({"webhooks": [HOOK], "link": "https://console.example/"}, "settings.link"),
        ({"webhooks": [HOOK], "link": "https://c.example/{approval_id}/{other}"}, "settings.link"),
        ({"webhooks": [HOOK], "link": "https://c.example/{approval_id}|x"}, "settings.link"),
        ({"webhooks": [HOOK], "link": "http://c.example/{approval_id}"}, "settings.url"),
        ({"webhooks": [HOOK], "link": "javascript:{approval_id}"}, "settings.url"),
        ({"mail": [MAIL | {"tls": "none"}]}, "settings.mail"),
        ({"mail": [MAIL | {"from": "x"}]}, "settings.mail"),
        ({"mail": [MAIL | {"to": ["a@b.example\r\nBcc: c@d.example"]}]}, "settings.mail"),
        ({"mail": [MAIL | {"to": ["a@b.example, c@d.example"]}]}, "settings.mail"),
        ({"mail": [MAIL | {"user": "me"}]}, "settings.mail"),
    ],
)
def test_what_is_not_acceptable_is_refused_at_the_start_by_name(
    tmp_path: Path, notify: dict[str, Any], code: str
) -> None:
    private(tmp_path / "bad.key", "whsec_short")
    with pytest.raises(SettingsError) as refused:
        opened(tmp_path, **notify)
    assert refused.value.code == code and refused.value.remedy
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[notify]\nlinks = "x"', "Did you mean 'link'?"),
        ('[[notify.webhooks]]\nname = "a"\nurll = "https://s3cr3t"', "Did you mean 'url'?"),
        ('[[notify.mail]]\nname = "a"\nhost = "h"\nfrom = "a@b"\nto = ["a@b"]\nsender = "x"', "'notify.mail.0.sender'"),
        ('[[notify.webhooks]]\nname = "A b"\nurl = "https://s3cr3t"', "notify.webhooks.0.name"),
        ('[[notify.webhooks]]\nname = "a"\nurl = "https://s3cr3t"\nkinds = ["test"]', "notify.webhooks.0.kinds.0"),
        ('[[notify.mail]]\nname = "a"\nhost = "h"\nfrom = "a@b"\nto = []', "notify.mail.0.to"),
    ],
)  # fmt: skip
def test_a_file_with_a_key_or_value_that_it_may_not_have_refuses_to_start(tmp_path: Path, text: str, says: str) -> None:
    """T34 for channels."""
    (tmp_path / "interlock.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "interlock.toml")
    assert says in str(refused.value) and "s3cr3t" not in str(refused.value)
