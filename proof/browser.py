"""The browser of this machine."""

from __future__ import annotations

import os
import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """Where Chromium is: what INTERLOCK_CHROMIUM names, else the first on the path; None where there is none."""
    return os.environ.get("INTERLOCK_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
