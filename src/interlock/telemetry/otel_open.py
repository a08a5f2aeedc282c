"""An exporter as the settings name it: its collector, and what spans are made by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from interlock.app import Interlock
from interlock.compose import World
from interlock.core.address import check_url
from interlock.core.canonical import Json
from interlock.core.finding import Act
from interlock.errors import SettingsError
from interlock.ledger.feed import Feed
from interlock.net.egress import Egress
from interlock.net.reach import reach_of
from interlock.private_files import check_private
from interlock.screening.handling import Handling
from interlock.screening.screen import Copiers, screen_aside
from interlock.settings import Settings
from interlock.telemetry.otel import Exporter, Terms
from interlock.telemetry.otel_place import Place
from interlock.telemetry.otel_send import Collector
from interlock.telemetry.otel_wire import Wire
from interlock.telemetry.spans_call import Far, View
from interlock.telemetry.spans_content import Content


def open_exporter(settings: Settings, plane: Interlock, world: World, feed: Feed) -> Exporter:
    """What delivers what a plane's ledger says, as the settings say. Call it in a thread.

    Raises:
        SettingsError: See `open_collector`.
    """
    said = settings.telemetry.otlp
    return Exporter(Terms(
        store=plane.store, feed=feed, collector=open_collector(settings), view=_view(settings, plane),
        wire=Wire({**said.resource, "service.name": said.service_name}, version("interlock")),
        place=Place(settings.state_folder if settings.ledger is not None else None), clock=world.clock,
        runs=said.runs, every_s=said.every_s, backfill=said.backfill,
        jitter=lambda: int.from_bytes(world.entropy(2), "big") / 32_767.5 - 1,
    ))  # fmt: skip


def open_collector(settings: Settings) -> Collector:
    """The collector that the settings name. Reads the headers' file and what the machine trusts: call it in a thread.

    Raises:
        SettingsError: The address or the file of headers is not acceptable.
    """
    said = settings.telemetry.otlp
    check_url(said.endpoint, "telemetry.otlp.endpoint")
    if urlsplit(said.endpoint).path.rstrip("/").endswith(("/v1/traces", "/v1/metrics")):
        raise SettingsError(
            "telemetry.otlp.endpoint: with a path of OTLP's own", code="settings.url",
            remedy="Leave out /v1/traces: it is put there for spans, and /v1/metrics for metrics.",
        )  # fmt: skip
    headers = _headers(settings.at(said.headers_file)) if said.headers_file is not None else {}
    reach = reach_of(said.reach, "telemetry.otlp.reach").with_literal(said.endpoint)
    return Collector(said.endpoint, headers, Egress(reach, timeout_s=said.timeout_s))


def _headers(file: Path) -> dict[str, str]:
    """The headers that a file names.

    Raises:
        SettingsError: It cannot be read, others may read it, or a line is no header.
    """
    try:
        check_private(file)
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file}: {getattr(error, 'strerror', None) or 'not text'}", code="settings.mode",
            remedy="Let its owner read it.",
        ) from None  # fmt: skip
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not value.strip() or not line.isascii() or not line.isprintable():
            raise SettingsError(
                f"{file}: line {number} is no header", code="settings.header",
                remedy="Write `name: value` on each line.",
            )  # fmt: skip
        headers[name.strip().lower()] = value.strip()
    return headers


def _view(settings: Settings, plane: Interlock) -> View:
    """What spans of this plane are made by."""
    said = settings.telemetry.otlp

    screens = replace(plane.plane.screens, copiers=Copiers(_stricter(settings)))

    def clean(value: Json, tool: str) -> Json:
        return cast(Json, screen_aside(value, screens, tool).value)

    def known(name: str) -> bool:
        return plane.plane.registry.find(name) is not None

    servers = {each.name: _far(each.url or "") for each in settings.servers}
    return View(servers=servers, known=known, content=Content(clean, said.content_chars) if said.content else None)


def _stricter(settings: Settings) -> Callable[[str], Handling]:
    """How a tool's results are handled, but that secrets and personal data never pass: a collector is no model."""
    handling = settings.screening.handling()

    def of(tool: str) -> Handling:
        usual = handling(tool)
        return replace(usual, secrets=_at_least(usual.secrets), personal=_at_least(usual.personal))

    return of


def _at_least(act: Act) -> Act:
    return act if act is Act.WITHHOLD else Act.REDACT


def _far(url: str) -> Far:
    if not url:
        return Far()
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return Far(transport="tcp", address=parts.hostname or "", port=parts.port or usual)
