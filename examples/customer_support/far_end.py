"""The service as a process of this demonstration."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from examples import far_end
from examples.customer_support import client


def serving(db: Path) -> AbstractContextManager[far_end.FarEnd]:
    """Run the service on a file of its own until the block is left, and let the tools find it and its mail."""
    variables = {
        client.URL: "http://127.0.0.1:{port}", client.TOKEN: "{token}", client.SMTP: "127.0.0.1:{smtp_port}",
    }  # fmt: skip
    return far_end.serving("examples.customer_support.service", db, variables)
