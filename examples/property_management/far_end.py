"""The service as a process of this demonstration."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from examples import far_end
from examples.property_management import client


def serving(db: Path) -> AbstractContextManager[far_end.FarEnd]:
    """Run the service on a file of its own until the block is left, and let the tools of this process find it."""
    variables = {client.URL: "http://127.0.0.1:{port}", client.TOKEN: "{token}"}
    return far_end.serving("examples.property_management.service", db, variables)
