"""`interlock servers login`: who a person is to a server behind."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import told
from interlock.cli.output import Report
from interlock.cli.servers import said_of
from interlock.cli.servers import servers as servers  # told again: with it come the commands of both files
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.server_settings import ServerSettings


@command("login", servers, example="interlock servers login tickets\ninterlock servers login tickets --paste")
@click.argument("name")
@click.option("--paste", is_flag=True, help="The browser is on another machine: type in the address that it ends at.")
def login(deployment: Deployment, name: str, paste: bool) -> Report:
    """Log in to a server behind that wants OAuth, as the principal of your key.

    It says an address to open in a browser, waits up to 10 minutes for its way back to this machine, and keeps what it
    brings, sealed, for this principal and this server alone. A process that runs notices within 2 s.
    """
    person, said = deployment.person, _wants(deployment, name)
    anyio.run(_login, deployment, said, person, paste)
    document = {"server": name, "principal": person.id, "tenant": person.tenant, "logged_in": True}
    return Report(document, [told(f"{person.id} is logged in to {name}.", "good")])


@command("logout", servers, example="interlock servers logout tickets")
@click.argument("name")
def logout(deployment: Deployment, name: str) -> Report:
    """Log out of a server behind, as the principal of your key.

    Its tokens are deleted here, and given back where the authorization server takes them.
    """
    person, said = deployment.person, _wants(deployment, name)
    given_back = anyio.run(_logout, deployment, said, person)
    text = f"{person.id} was not logged in to {name}."
    if given_back is not None:
        text = f"{person.id} is logged out of {name}."
        if not given_back:
            text += " The authorization server did not take its tokens back: end the session there too."
    document = {"server": name, "principal": person.id, "was_logged_in": given_back is not None, "revoked": given_back}
    return Report(document, [told(text, "wait" if given_back is False else "good")])


async def _login(deployment: Deployment, said: ServerSettings, person: Principal, paste: bool) -> None:
    from interlock.server_login import begin, finish, serving  # brings httpx2 and cryptography
    from interlock.server_tokens import open_tokens

    world, entropy = deployment.world, deployment.world.entropy
    tokens = await anyio.to_thread.run_sync(open_tokens, said, deployment.settings, world.clock, world.entropy)
    assert said.oauth is not None, "it wants it"
    async with serving(said.oauth.redirect_port, entropy) as page:
        page.login = under_way = await begin(tokens, page.redirect_uri, entropy)
        if paste:
            click.echo(f"Open this address:\n\n{under_way.url}\n", err=True)
            typed = click.prompt("The address that the browser ends at", err=True, hide_input=True)
            code = under_way.take(_came(typed.strip(), page.redirect_uri))
        else:
            click.echo(f"Open this address in a browser of this machine:\n\n{page.url}\n", err=True)
            code = await page.wait()
    await finish(tokens, under_way, code, (person.tenant, person.id))


async def _logout(deployment: Deployment, said: ServerSettings, person: Principal) -> bool | None:
    from interlock.server_tokens import open_tokens

    world = deployment.world
    tokens = await anyio.to_thread.run_sync(open_tokens, said, deployment.settings, world.clock, world.entropy)
    return await tokens.forget((person.tenant, person.id))


def _wants(deployment: Deployment, name: str) -> ServerSettings:
    said = said_of(deployment, name)
    if said.oauth is None or said.oauth.of_service:
        raise BadInput(
            f"nobody logs in to server {name!r}", code="servers.no_login",
            remedy='Its settings have no oauth with grant = "authorization_code".',
        )  # fmt: skip
    return said


def _came(typed: str, redirect_uri: str) -> str:
    """The query of the address that was typed, which must be our own."""
    where, _, query = typed.partition("?")
    if where != redirect_uri:
        raise BadInput(
            f"that is not an address of this login, which begins with {redirect_uri}?", code="cli.callback",
            remedy="Copy it whole from the browser, although its page cannot be shown there.",
        )  # fmt: skip
    return urlsplit(f"?{query}").query
