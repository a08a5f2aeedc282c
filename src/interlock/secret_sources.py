"""The secrets that the settings name: what calls may refer to, and what keeps it."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from interlock.core.clock import Clock
from interlock.core.held import HOLDING
from interlock.errors import SecretError, SettingsError
from interlock.net.reach import reach_of
from interlock.net.resolve import Environment, Files, Source, Sources
from interlock.private_files import read_secret
from interlock.registry.registry import Registry
from interlock.registry.secrets import SecretRule, SecretRules
from interlock.secret_settings import VaultSettings
from interlock.settings import Settings, named_environment

_UNSAID: Final = "[withheld: it could not be looked through for secrets]"


def secret_rules(settings: Settings) -> SecretRules:
    """Which references to secrets the operator allows."""
    said = settings.secrets.allow
    return tuple(SecretRule(each.tool, each.argument, each.references, each.hosts) for each in said)


def open_keeper(settings: Settings, registry: Registry, clock: Clock) -> Sources:
    """What keeps the secrets of calls.

    Where calls may refer to any, this process writes no core from here on, and logs no secret that a call holds.

    Raises:
        SettingsError: What the settings say of Vault is not acceptable.
        MissingExtra: Vault is named, and what speaks to it is not installed.
    """
    if settings.secrets.allow or any(tool.secrets for tool in registry.tools):
        keep_out_of_cores()
        keep_out_of_logs()
    return sources_of(settings, clock)


def sources_of(settings: Settings, clock: Clock) -> Sources:
    """Where secrets are kept, as the settings say; nothing is read or dialled before one is wanted.

    Raises:
        SettingsError: What the settings say of Vault is not acceptable.
        MissingExtra: Vault is named, and what speaks to it is not installed.
    """
    said = settings.secrets
    sources: dict[str, Source] = {"env": Environment(named_environment)}
    if said.folder is not None:
        sources["file"] = Files(settings.at(said.folder).absolute())
    if said.vault is not None:
        sources["vault"] = _vault(settings, said.vault, clock)
    return Sources(sources, said.timeout_s)


def _vault(settings: Settings, said: VaultSettings, clock: Clock) -> Source:
    """What asks Vault; dials nothing yet, and reads no token before a secret is wanted."""
    from interlock.net.egress import Egress  # brings httpx2
    from interlock.net.vault import Role, Terms, Vault  # brings hvac

    def reading(file: Path) -> Callable[[], str]:
        def read() -> str:
            try:
                return read_secret(settings.at(file))
            except SettingsError as error:
                raise SecretError(f"vault: {error}", code="secret.denied") from None

        return read

    reach = reach_of(said.reach, "secrets.vault: reach").with_literal(said.url)
    if said.token_file is not None:
        token: Callable[[], str] | Role = reading(said.token_file)
    else:
        assert said.secret_id_file is not None, "the settings have either"
        token = Role(role_id=said.role_id, secret_id=reading(said.secret_id_file), mount=said.login_mount)
    egress = Egress(reach, timeout_s=settings.secrets.timeout_s, keep=0)
    return Vault(Terms(url=said.url, namespace=said.namespace, token=token), egress, clock)


def keep_out_of_cores() -> None:
    """Have no core written where this process crashes: what it holds would stand there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


class _Records:
    """Makes log records without the secrets that calls hold at the time."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **given: Any) -> logging.LogRecord:
        record = self._make(*args, **given)
        if HOLDING:
            _clean(record)
        return record


def keep_out_of_logs() -> None:
    """Have every logger of this process log no secret that a call holds; asking twice is asking once."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Records):
        logging.setLogRecordFactory(_Records(make))


def _clean(record: logging.LogRecord) -> None:
    """Its message, and the text of its error, as they would be written."""
    try:
        said = record.getMessage()
        clean = HOLDING.clean(said)
        error = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    except (TypeError, ValueError, KeyError, RecursionError):
        clean, said, error = _UNSAID, "", ""
        record.exc_info = None
    if clean != said:
        record.msg, record.args = clean, ()
    if error and (without := HOLDING.clean(error)) != error:
        record.exc_info, record.exc_text = None, without
