"""`interlock login` and `interlock keys`: who types, and who may."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, note, told
from interlock.cli.output import Report
from interlock.core.principal import ADMIN, FIRST_TENANT, Principal
from interlock.errors import BadInput, Conflict
from interlock.keys import SCOPES, TOOLS, write_private
from interlock.settings import key_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


@command("login", example='interlock login\nprintf %s "$KEY" | interlock login --key-stdin')
@click.option("--key-stdin", is_flag=True, help="Read the key from the standard input, as a program does.")
def login(deployment: Deployment, key_stdin: bool) -> Report:
    """Keep your key for the commands that you type. It is asked for without being shown, and checked first.

    The key stands in a file that only you may read; INTERLOCK_KEY wins over it.
    """
    key = _typed(deployment, key_stdin)
    person = deployment.keys.principal(key)
    write_private(key_file(), key.encode() + b"\n")
    document = {**_plain(person), "file": str(key_file())}
    return Report(
        document, [told(f"You are {person.id} ({_roles(person)})."), note(f"The key is kept in {key_file()}.")]
    )


@click.group()
def keys() -> None:
    """Keys of people and services. Only their hashes are kept."""


@command(
    "add", keys, example="interlock keys add maria --role approver\ninterlock keys add nightly --service --role support"
)
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role, as the policy names it; may be repeated.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(sorted(SCOPES)), default=(TOOLS,), show_default=True,
    help="What the key opens at a door of `interlock serve`; may be repeated.",
)  # fmt: skip
@click.option("--service", is_flag=True, help="A program: it may call tools, and never approves.")
def add(deployment: Deployment, name: str, roles: tuple[str, ...], scopes: tuple[str, ...], service: bool) -> Report:
    """Make a key for a person or a service. It is shown once.

    Needs the role admin; the very first key needs nobody, and is an admin's.

    NAME stands in the ledger, which never forgets: an id, not an address.
    """
    first = not deployment.keys_file.exists()
    if first and (service or ADMIN not in roles):
        raise BadInput(
            f"the first key is a person's with the role {ADMIN!r}", code="keys.first",
            remedy="Add --role admin: nobody could hand out further keys otherwise.",
        )  # fmt: skip
    tenant = FIRST_TENANT if first else deployment.require(ADMIN).tenant
    person = named(Principal(name or " ", tenant, frozenset(roles), "service" if service else "user"))
    key = deployment.keys.add(person, scopes, deployment.now_us)
    return Report(
        {**_plain(person), "key": key},
        [
            told(f"The key of {person.id} ({_roles(person)}), shown this once:"),
            told(f"  {key}", "strong"),
            note("They keep it with `interlock login`; a program reads it from INTERLOCK_KEY."),
        ],
    )


@command("list", keys, example="interlock keys list")
def list_(deployment: Deployment) -> Report:
    """Everybody who has a key. Needs the role admin."""
    tenant = deployment.require(ADMIN).tenant
    found = [person for person in deployment.keys.list() if person.tenant == tenant]
    rows = [(person.id, person.kind, _roles(person)) for person in found]
    listing = Listing(("name", "kind", "roles"), rows, empty="Nobody has a key.")
    return Report({"keys": [_plain(person) for person in found]}, [listing])


@command("revoke", keys, example="interlock keys revoke maria")
@click.argument("name")
def revoke(deployment: Deployment, name: str) -> Report:
    """Forget somebody's key: from now on it is nobody's. Needs the role admin; the last admin's stays."""
    tenant = deployment.require(ADMIN).tenant
    admins = [person.id for person in deployment.keys.list() if person.tenant == tenant and ADMIN in person.roles]
    if admins == [name]:
        raise Conflict(
            f"{name!r} is the last administrator", code="keys.last_admin",
            remedy="Add another one first: nobody could hand out keys any more.",
        )  # fmt: skip
    deployment.keys.revoke(name, tenant)
    return Report({"revoked": name}, [told(f"The key of {name} is forgotten.")])


def named(person: Principal) -> Principal:
    """The same principal, if its id and roles may stand in the ledger and in policies.

    Raises:
        BadInput: They may not.
    """
    if not _NAME.fullmatch(person.id):
        raise BadInput(
            f"name: {person.id!r}",
            code="keys.name",
            remedy="Use 1 to 100 of A-Z a-z 0-9 . _ @ -, a letter or digit first.",
        )
    for role in sorted(person.roles):
        if not _ROLE.fullmatch(role):
            raise BadInput(
                f"role: {role!r}", code="keys.role", remedy="Use 1 to 64 of A-Z a-z 0-9 . _ -, a letter first."
            )
    return person


def _typed(deployment: Deployment, key_stdin: bool) -> str:
    if key_stdin or deployment.output.as_json:
        return sys.stdin.readline().strip()
    try:
        found: str = click.prompt("Key", hide_input=True, err=True, default="", show_default=False)
    except click.Abort:
        raise BadInput("no key was typed", code="cli.key", remedy="Type it, or pipe it with --key-stdin.") from None
    return found.strip()


def _roles(person: Principal) -> str:
    return ", ".join(sorted(person.roles)) or "no role"


def _plain(person: Principal) -> dict[str, Any]:
    return {"name": person.id, "tenant": person.tenant, "kind": person.kind, "roles": sorted(person.roles)}
