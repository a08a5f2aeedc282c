"""`interlock login` and `interlock keys`: who types, and who may."""

from __future__ import annotations

import getpass
import re
import sys
import warnings
from collections.abc import Iterable
from typing import Any

import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, note, told
from interlock.cli.output import Report
from interlock.core.clock import SECOND_US, iso
from interlock.core.principal import ADMIN, FIRST_TENANT, NAME, Principal
from interlock.core.times import ago, seconds
from interlock.errors import BadInput, Conflict
from interlock.keys import CONSOLE, SCOPES, TOOLS, Key
from interlock.private_files import write_private, writing
from interlock.settings import kept_keys, key_file

_KEPT_MAX = 64
"""Keys that `interlock login` keeps, the newest; others are of deployments that are long gone."""

_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


@command("login", example='interlock login\nprintf %s "$KEY" | interlock login --key-stdin')
@click.option("--key-stdin", is_flag=True, help="Read the key from the standard input, as a program does.")
def login(deployment: Deployment, key_stdin: bool) -> Report:
    """Keep your key for the commands that you type. It is asked for without being shown, and checked first.

    The keys stand in a file that only you may read, one for each deployment that you logged in to, and each opens its
    own. INTERLOCK_KEY wins over them.
    """
    key = _typed(deployment, key_stdin)
    person = deployment.keys.principal(key, deployment.now_us)
    others = [each for each in kept_keys() if not deployment.keys.knows(each)]
    with writing(key_file()):
        write_private(key_file(), "".join(f"{each}\n" for each in (key, *others[: _KEPT_MAX - 1])).encode())
    document = {**_plain(person), "file": str(key_file())}
    return Report(
        document, [told(f"You are {person.id} ({_roles(person)})."), note(f"The key is kept in {key_file()}.")]
    )


@click.group()
def keys() -> None:
    """Keys of people and services. Only their hashes are kept."""


@command(
    "add", keys,
    example="interlock keys add maria --role approver\ninterlock keys add nightly --service --role support",
)  # fmt: skip
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role, as the policy names it; may be repeated.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(sorted(SCOPES)),
    help="What the key opens at `interlock serve`; may be repeated. A person's: console, a service's: tools.",
)  # fmt: skip
@click.option("--service", is_flag=True, help="A program: it may call tools, and never approves.")
@click.option("--expires", metavar="TIME", help="After how long it opens nothing: `90d`. Without: never.")
def add(
    deployment: Deployment, name: str, roles: tuple[str, ...], scopes: tuple[str, ...], service: bool,
    expires: str | None,
) -> Report:  # fmt: skip
    """Make a key for a person or a service, one more where they have some. It is shown once.

    Needs the role admin; the very first key needs nobody, and is an admin's. Whoever has a key already keeps their
    roles: leave --role out.

    A person signs in to the console with a key that has the scope console, and lets an agent of theirs call tools with
    another that has the scope tools: no key has both. NAME stands in the ledger, which never forgets: an id, not an
    address.
    """
    first = not deployment.keys_file.exists()
    if first and (service or ADMIN not in roles):
        raise BadInput(
            f"the first key is a person's with the role {ADMIN!r}", code="keys.first",
            remedy="Add --role admin: nobody could hand out further keys otherwise.",
        )  # fmt: skip
    tenant = FIRST_TENANT if first else deployment.require(ADMIN).tenant
    person = named(Principal(name or " ", tenant, frozenset(roles), "service" if service else "user"))
    if not roles:
        before = [
            one for one in deployment.keys.list() if (one.id, one.tenant, one.kind) == (name, tenant, person.kind)
        ]
        person = before[0] if before else person
    now_us = deployment.now_us
    until_us = None if expires is None else now_us + seconds(expires) * SECOND_US
    text = deployment.keys.add(person, scopes or ((TOOLS,) if service else (CONSOLE,)), now_us, until_us)
    return _new(deployment.keys.find(text, now_us), text)


@command("list", keys, example="interlock keys list")
def list_(deployment: Deployment) -> Report:
    """Everybody's keys: what they open, their age and when they are past. Needs the role admin."""
    tenant = deployment.require(ADMIN).tenant
    now_us = deployment.now_us
    found = [key for key in deployment.keys.all().values() if key.principal.tenant == tenant]
    found.sort(key=lambda key: (key.principal.id, key.made_us, key.id))
    rows = [
        (
            key.principal.id, key.principal.kind, _roles(key.principal), key.id, " ".join(sorted(key.scopes)),
            ago(key.made_us, now_us) if key.made_us else "", "" if key.expires_us is None
            else ago(key.expires_us, now_us),
        )
        for key in found
    ]  # fmt: skip
    columns = ("name", "kind", "roles", "key", "scopes", "made", "past")
    return Report({"keys": [_of(key) for key in found]}, [Listing(columns, rows, empty="Nobody has a key.")])


@command("rotate", keys, example="interlock keys rotate maria --overlap 24h")
@click.argument("which", metavar="NAME|ID")
@click.option("--overlap", default="24h", show_default=True, metavar="TIME", help="How long the old key still holds.")
def rotate(deployment: Deployment, which: str, overlap: str) -> Report:
    """Make a new key in the place of one, which holds for a while more. It is shown once.

    ID is that of a key, as `interlock keys list` has it: for somebody who has several. Whoever may hand out keys
    rotates everybody's, and everybody their own.
    """
    person, now_us = deployment.person, deployment.now_us
    mine = {person.id, *(key.id for key in deployment.keys.all().values() if key.principal == person)}
    tenant = person.tenant if which in mine else deployment.require(ADMIN).tenant
    old, text = deployment.keys.rotate(which, tenant, now_us, seconds(overlap))
    report = _new(deployment.keys.find(text, now_us), text)
    holds = note(f"The old one ({old.id}) is past {ago(old.expires_us or now_us, now_us)}.")
    return Report({**report.document, "old": _of(old)}, [*report.view, holds])


@command("revoke", keys, example="interlock keys revoke maria\ninterlock keys revoke key:1f0c9a52")
@click.argument("which", metavar="NAME|ID")
def revoke(deployment: Deployment, which: str) -> Report:
    """Forget a key, or all of somebody's: they open nothing more. Needs the role admin; the last admin's stays."""
    tenant = deployment.require(ADMIN).tenant
    now_us = deployment.now_us

    def somebody_is_left(left: Iterable[Key]) -> None:
        admins = (key for key in left if key.principal.tenant == tenant and ADMIN in key.principal.roles)
        if not any(key.principal.kind == "user" and key.open_at(now_us) for key in admins):
            raise Conflict(
                f"{which!r} is the last administrator", code="keys.last_admin",
                remedy="Add another one first: nobody could hand out keys any more.",
            )  # fmt: skip

    gone = deployment.keys.revoke(which, tenant, somebody_is_left)
    what = f"The key of {gone[0].principal.id} is" if len(gone) == 1 else f"{len(gone)} keys of {which} are"
    return Report({"revoked": which, "keys": [_of(key) for key in gone]}, [told(f"{what} forgotten.")])


def named(person: Principal) -> Principal:
    """The same principal, if its id and roles may stand in the ledger and in policies.

    Raises:
        BadInput: They may not.
    """
    if not NAME.fullmatch(person.id):
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
        with warnings.catch_warnings(action="ignore", category=getpass.GetPassWarning):  # a pipe shows nobody anything
            found: str = click.prompt("Key", hide_input=True, err=True, default="", show_default=False)
    except click.Abort:
        raise BadInput("no key was typed", code="cli.key", remedy="Type it, or pipe it with --key-stdin.") from None
    return found.strip()


def _roles(person: Principal) -> str:
    return ", ".join(sorted(person.roles)) or "no role"


def _new(key: Key, text: str) -> Report:
    return Report(
        {**_of(key), "key": text},
        [
            told(f"The key of {key.principal.id} ({_roles(key.principal)}), shown this once:"),
            told(f"  {text}", "strong"),
            note("They keep it with `interlock login`; a program reads it from INTERLOCK_KEY."),
        ],
    )


def _of(key: Key) -> dict[str, Any]:
    return {
        **_plain(key.principal), "id": key.id, "scopes": sorted(key.scopes),
        "made_at": iso(key.made_us) if key.made_us else None,
        "expires_at": None if key.expires_us is None else iso(key.expires_us), "replaces": key.replaces or None,
    }  # fmt: skip


def _plain(person: Principal) -> dict[str, Any]:
    return {"name": person.id, "tenant": person.tenant, "kind": person.kind, "roles": sorted(person.roles)}
