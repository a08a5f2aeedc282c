"""`interlock console`: how a person gets into the console."""

from __future__ import annotations

import click

from interlock.api.links import LIFE_S, Links, link_url
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import note, told
from interlock.cli.output import Report
from interlock.core.clock import SECOND_US, iso
from interlock.core.principal import ADMIN
from interlock.gateway_settings import is_loopback
from interlock.ledger.store import Store
from interlock.private_files import deployment_key
from interlock.settings import Settings
from interlock.sign_ins import SignedIn


@click.group()
def console() -> None:
    """The console: pages for people, served by `interlock serve`."""


@command("link", console, example="interlock console link\ninterlock console link --port 8080")
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Where `interlock serve` listens; else `port` of [gateway]."
)
def link(deployment: Deployment, port: int | None) -> Report:
    """Print a link that signs you in to the console, once.

    Within a quarter of an hour. You are whose key is typed, which must have the scope console. Whoever opens the link
    first is you: send it to nobody.
    """
    settings = deployment.settings
    key = deployment_key(settings.state_folder / "deployment.key")
    world = deployment.world
    text = Links(key, world.clock, world.entropy).make(deployment.typed)
    url = link_url(console_url(settings, settings.gateway.host, port or settings.gateway.port), text)
    until = iso(deployment.now_us + int(LIFE_S * SECOND_US))
    return Report(
        {"url": url, "person": deployment.person.id, "expires_at": until},
        [told(url, "strong"), note(f"It signs {deployment.person.id} in once, within {LIFE_S / 60:.0f} minutes.")],
    )


@command("sign-out", console, example="interlock console sign-out gina")
@click.argument("name", required=False)
def sign_out(deployment: Deployment, name: str | None) -> Report:
    """End every session of somebody in the console, or all of your own.

    Somebody else's needs the role admin. Whoever still has a key for the console, or an issuer that knows them, may
    sign in again.
    """
    person = deployment.person if name in (None, deployment.person.id) else deployment.require(ADMIN)
    whose = name or person.id

    async def end(store: Store) -> None:
        await SignedIn(store).all_ended(whose, person, "signed out by command")

    deployment.with_store(end, writes=True)
    return Report({"signed_out": whose}, [told(f"{whose} is signed out everywhere.")])


def console_url(settings: Settings, host: str, port: int) -> str:
    """Where browsers find the console, without a slash at its end.

    Args:
        host, port: Where it listens.
    """
    if settings.console.public_url:
        return settings.console.public_url
    host = host if is_loopback(host) else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
