"""How a page is made: a template, what every page has, and texts of others as texts that can be seen whole.

The leaf of Jinja2. Everything is escaped; a template has no way to say that something is not to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from interlock.api.gate import WHO
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.console.stops import stops_of
from interlock.core.clock import SECOND_US, iso
from interlock.core.times import ago, took
from interlock.core.visible import unhidden, visible_json
from interlock.errors import MissingExtra
from interlock.markup.tags import Markup, block, shown, tag, text

try:
    from jinja2 import DictLoader, Environment, StrictUndefined
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = _HERE / "templates"
STATIC: Final = _HERE / "static"

PAGES: Final = (
    ("Inbox", "/"),
    ("Runs", "/runs"),
    ("Overview", "/overview"),
    ("Audit", "/audit"),
    ("Tools", "/tools"),
    ("Policies", "/policies"),
    ("Agents", "/agents"),
)
"""The pages that every page leads to, in order."""


class View:
    """Makes pages for one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._pages = Environment(
            loader=DictLoader(_read_whole()), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        del self._pages.filters["safe"]  # the one way to put markup in that was not made here
        self._pages.filters |= {
            "seen": text, "value": _value, "when": _when, "until": _until, "clock": _clock, "ago": self._ago,
            "took": took, "iso": iso, "money": money, "count": _count, "short": _short, "parts": shown,
        }  # fmt: skip
        self._pages.globals["asset"] = _ASSETS.__getitem__

    def page(self, request: Request, name: str, /, code: int = 200, **said: Any) -> HTMLResponse:
        """The page of a template.

        Args:
            name: Of the template.
            code: The answer's status.
            said: What it shows, by name.
        """
        return HTMLResponse(self.text(request, name, **said), code)

    def text(self, request: Request, name: str, /, **said: Any) -> str:
        """The same as a text: of a page that is sent in parts."""
        who: Who | None = request.scope.get(WHO)
        csrf = self.site.admission.csrf(who) if who is not None and who.session_id else ""
        shared: Mapping[str, Any] = {
            "who": who, "csrf": csrf, "path": request.scope["path"], "pages": PAGES, "now_us": self.site.now_us,
            "stops": stops_of(request.scope),
        }  # fmt: skip
        return self._pages.get_template(name).render({**shared, **said})

    def _ago(self, at_us: int) -> Markup:
        return tag("time", ago(at_us, self.site.now_us), datetime=iso(at_us), title=_moment(at_us))


def _read_whole() -> dict[str, str]:
    """The templates, read before the first page is asked for: no request waits for a file."""
    return {file.name: file.read_text(encoding="utf-8") for file in TEMPLATES.iterdir()}


_ASSETS: Final = {
    file.name: f"/static/{file.name}?v={sha256(file.read_bytes()).hexdigest()[:12]}" for file in STATIC.iterdir()
}
"""The address of each static file; another one once its content is another."""


def seen(typed: str) -> str:
    """What somebody asked for, as their field says it again: without what nobody would see in it."""
    return str(unhidden(typed))


def _value(value: Any) -> Markup:
    """A JSON value on several lines, nothing left out, in a block that is no markup."""
    return block(visible_json(value), class_="value", tabindex="0")


def _when(at_us: int) -> Markup:
    return tag("time", _moment(at_us), datetime=iso(at_us))


def _clock(at_us: int) -> Markup:
    """The time of day, for lists whose day stands elsewhere."""
    moment = datetime.fromtimestamp(at_us / SECOND_US, UTC)
    return tag("time", moment.strftime("%H:%M:%S"), datetime=iso(at_us), title=_moment(at_us))


def _until(at_us: int) -> str:
    """When something ends, to the minute: what stands until a script counts down, and where there is none."""
    return datetime.fromtimestamp(at_us / SECOND_US, UTC).strftime("%d %b %H:%M UTC")


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / SECOND_US, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def money(micro_usd: int) -> str:
    """Millionths of a US dollar as dollars: cents where there are any, more digits where there are none."""
    usd = micro_usd / 1_000_000
    return f"${usd:,.2f}" if usd >= 0.01 or not micro_usd else f"${usd:.6f}".rstrip("0")


def _count(number: int) -> str:
    return f"{number:,}"


def _short(said: str, most: int = 16) -> str:
    """The beginning of an id or a digest."""
    return said if len(said) <= most else f"{said[:most]}…"
