"""`[telemetry]`: what is told of calls to other systems, and where; a part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Text = Annotated[str, Field(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


class OtlpSettings(BaseModel):
    """Where spans and metrics are sent, over OTLP/HTTP with protobuf.

    Attributes:
        endpoint: Address of a collector, without `/v1/traces`: https, or http to this machine. Empty for none: then
            nothing is sent anywhere.
        headers_file: File of mode 0600 with headers that every request bears, `name: value` on each line.
        reach: Hosts, addresses and networks that it may be at although they are not public. An address in `endpoint`
            needs no other word.
        service_name: What this deployment is called there.
        resource: More that is said of it, by the conventions' names, such as `deployment.environment.name`.
        content: Whether what was asked and answered is told too: arguments, results, words and turns of models.
        content_chars: Characters of one such text.
        runs: Which part of all runs is told as spans, 0 to 1; drawn by the run's id. Metrics count every run.
        backfill: Whether a deployment that never exported begins with its first event; else with what follows.
        every_s: Seconds in which events are gathered before they are sent.
        timeout_s: Seconds that one request may take.
        accept_trace: Whether a caller may say whose trace its calls belong to (`traceparent`).
        send_trace: Whether services and servers behind are told whose trace a call belongs to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    endpoint: str = ""
    headers_file: Path | None = None
    reach: tuple[str, ...] = ()
    service_name: _Text = Field(default="interlock", min_length=1)
    resource: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,127}$")], _Text] = Field(default_factory=dict)
    content: bool = False
    content_chars: int = Field(default=8192, ge=64, le=1 << 20, strict=True)
    runs: float = Field(default=1, ge=0, le=1)
    backfill: bool = False
    every_s: float = Field(default=1, ge=0.01, le=60)
    timeout_s: float = Field(default=10, ge=0.1, le=300)
    accept_trace: bool = True
    send_trace: bool = True


class TelemetrySettings(BaseModel):
    """What is told of calls to other systems.

    Attributes:
        otlp: Where spans and metrics are sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    otlp: OtlpSettings = Field(default_factory=OtlpSettings)
