"""`interlock init`: a folder in which everything works, and the first person's key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import CLIENT_KEY, Deployment
from interlock.cli.init_from import agent_of, detected, init_from
from interlock.cli.keys import named
from interlock.cli.layout import Sheet, fields, heading, told
from interlock.cli.output import Report
from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict, SettingsError
from interlock.keys import CONSOLE, TOOLS, Keys
from interlock.policy.rules import DEFAULT_POLICY
from interlock.private_files import write_private
from interlock.settings import FILE

STATE = ".interlock"
"""The deployment's own folder: nobody else needs to look into it."""

FIRST_ROLES = frozenset({"admin", "approver", "operator"})
"""Roles of the first person: may hand out keys, decide about held calls, stop tools and settle unknown calls."""


@command(
    "init",
    example="interlock init\ninterlock init deployments/shop --name maria\ninterlock init --from .mcp.json --write",
)
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option(
    "--name", default="admin", show_default=True, help="Id of the first person; stands in the ledger for ever."
)
@click.option(
    "--from",
    "files",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A client's file of MCP servers (Claude, Cursor, VS Code); may be repeated.",
)
@click.option("--detect", is_flag=True, help="The files of clients in their known places.")
@click.option("--write", is_flag=True, help="Put Interlock in the servers' place in the client's file, kept beside it.")
@click.option("--yes", is_flag=True, help="Do not ask before the servers are started.")
def init(deployment: Deployment, folder: Path, name: str, files: tuple[Path, ...], detect: bool, **how: bool) -> Report:
    """Make a deployment with everything that it needs.

    Settings, a policy to read and change, example tools, and the first person's key. Files that are there already
    are kept. The key is shown once; `interlock login` keeps it for you.

    With --from, its tools are those of the servers that a client uses: they are started, their tools are classed by
    what their words say, and everything is observed and nothing held or denied until you say so. What may be a secret
    goes into files that only you may read.
    """
    if deployment.file is not None:
        raise SettingsError(
            "init makes the settings file itself", code="init.settings", remedy="Name the folder instead."
        )
    person = named(Principal(name, roles=FIRST_ROLES))
    file = folder / FILE
    if file.exists():
        raise Conflict(f"{file} is there already", code="init.exists", remedy="Choose an empty folder.")
    state = folder / STATE
    if (state / "keys.json").exists():
        raise Conflict(f"{state} has keys already", code="init.keys", remedy="Choose an empty folder.")
    if files or detect:
        found = list(dict.fromkeys([*files, *(detected() if detect else ())]))
        return init_from(deployment, folder, person, found, **how)
    if how["write"]:
        raise BadInput("--write needs --from or --detect", code="init.write_what", remedy="Name the client's file.")
    try:
        made = [path.as_posix() for path, text in _files(folder) if _write(path, text)]
        keys = Keys(state / "keys.json")
        key = keys.add(person, (CONSOLE,), deployment.now_us)
        client = keys.add(agent_of(person), (TOOLS,), deployment.now_us)
        write_private(state / CLIENT_KEY, client.encode() + b"\n")
        made.append((state / CLIENT_KEY).as_posix())
    except OSError as error:
        raise SettingsError(
            f"{error.filename}: {error.strerror}", code="init.write", remedy="Choose a folder that you may write to."
        ) from None
    document = {"folder": str(folder.resolve()), "made": made, "person": name, "roles": sorted(FIRST_ROLES), "key": key}
    return Report(document, _page(folder, made, person, key))


def _page(folder: Path, made: list[str], person: Principal, key: str) -> tuple[RenderableType, ...]:
    return (
        Sheet(
            f"a deployment in {folder.resolve()}",
            fields((path, _MEANING.get(Path(path).name, "")) for path in made),
            heading(f"The key of {person.id} ({', '.join(sorted(person.roles))}), shown this once"),
            told(f"  {key}", "strong"),
        ),
        heading("Next"),
        fields(
            (
                ("interlock login", "keeps the key for the commands that you type"),
                ("interlock tools list", "the example's tools"),
                ("interlock call look_up_order '{\"order_id\": 7}'", "a read: it runs"),
                ('interlock call refund \'{"order_id": 7, "amount_cents": 500}\'', "held until somebody else approves"),
                ("interlock keys add NAME --role approver", "somebody else"),
                ("interlock serve", "the console, the API and the gateway; needs the extras mcp and server"),
            )
        ),
    )


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / FILE, _SETTINGS
    yield folder / "policy" / DEFAULT_POLICY.name, DEFAULT_POLICY.read_text(encoding="utf-8")
    yield folder / "example_tools.py", _TOOLS
    yield folder / STATE / ".gitignore", "*\n"


def _write(path: Path, text: str) -> bool:
    """Write a new file; one that is there is somebody's and stays."""
    if path.exists():
        return False
    private = path.parent.name == STATE
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
    path.write_text(text, encoding="utf-8")
    return True


_MEANING = {
    FILE: "settings; every line is explained in it",
    DEFAULT_POLICY.name: "the policy in force: read it, change it, then `interlock policy check`",
    "example_tools.py": "three tools to try; put your own in their place",
    CLIENT_KEY: "the key of a client's gateway: `interlock gateway stdio --key-file`",
    ".gitignore": "keeps the ledger and the hashed keys beside it out of git",
}

_SETTINGS = """\
# What this deployment is made of. Paths are relative to this file; an unknown key refuses to start.

ledger = ".interlock/ledger.db"     # one SQLite file: every call, decision, approval and result
policy = "policy"                   # folder of *.cedar files; the policy that ships where left out
tools  = ["example_tools"]          # Python modules whose tools are registered
# agents = ["example_agents"]       # Python modules whose agents are known
# mode   = "evaluate_only"          # decide and record, but hold and deny nothing; "enforce" where left out
# shadow = "policy-next"            # folder of a candidate policy: evaluated and recorded, never enforced
# pins   = "tools.pins.json"        # reviewed definitions, from `interlock tools pin`; others are withheld then
# lease_s = 30                      # seconds until another process takes up the runs of one that was killed
# drain_s = 10                      # seconds that what runs may still take when a process is asked to end

[limits]
# calls_max = 200                   # calls of one run, refused ones included
# vain_max = 3                      # equal calls in a row that are answered the same
# alike_max = 4                     # equal calls, but for those whose answer changed by itself
# near_max = 5                      # the same where free text or paging differ, answered the same
# turn_max = 16                     # calls proposed together
# [[limits.rates]]                  # how often, over all runs
# name = "refunds"
# calls = 10
# per_s = 60
# tools = ["refund"]
# [[limits.budgets]]                # how much, over all runs
# name = "a day's money"
# unit = "micro_usd"
# most = 20000000
# every = "day"

[cache]
# entries_max = 4096                # results of reads that one process keeps; 0 keeps none
# bytes_max = 33554432              # bytes of all of them together

[seal]                              # the ledger is signed every second, or every 256 events
# sinks = ["/mnt/audit/log.jsonl"]  # where signed heads go: another disk, another owner; beside the ledger otherwise
# key = "/run/secrets/signing.key"  # the key that signs; beside the ledger otherwise
# every_events = 256
# every_s = 1
# unsigned = false                  # true: where the key is missing, go on writing what nobody seals
# on = true                         # false: no heads, and whoever can write to the file can rewrite it unseen

[gateway]                           # the door for MCP clients: `interlock serve`, `interlock gateway stdio`
# port = 8722
# [[servers]]                       # an MCP server behind; `interlock init --from` writes these for you
# name = "files"
# command = ["npx", "-y", "@modelcontextprotocol/server-filesystem", "/srv/shared"]
# [[services]]                      # a service behind, by its OpenAPI document
# name = "petstore"
# openapi = "petstore.yaml"
# base_url = "https://petstore.example/v1"

[console]                           # the doors for people, beside it: pages and the API
# on = true
# public_url = "https://interlock.example"  # as browsers know it, behind a server with TLS
# session_hours = 12
# idle_minutes = 60
# privileged_reauth_minutes = 15    # who approves what is privileged has signed in so lately
# view_min_ms = 2000                # and looked at it for so long
# [console.oidc]                    # whose people sign in, beside those who have a key
# issuer = "https://login.example"
# client_id = "interlock"
# client_secret_file = "oidc.secret"
# [[console.oidc.groups]]
# group = "on-call"
# roles = ["approver", "operator"]

[routing]                           # of more tools than these a model is offered a selection, and find_tools
# above = 40
# most = 12
# index = true
# encoder = "my_package.meaning"    # a model of your own that ranks too

[screening]                         # what is done about what tools return, before a model reads it
# secrets = "redact"                # or off, flag, withhold; so for characters and content
# injection = "flag"
# personal = "off"
# [[screening.tools]]               # an agent that edits pages must read them as they are
# tools = ["files_*"]
# content = "flag"

[provenance]                        # whose word the values of a call must be
# profiles = "profiles"             # a folder of files, one for each server: `interlock profile draft`
# mandates = { ana = ["send_mail"] }

[verify]                            # a second reader of the calls that policy names
# rules = ["my_package.checks"]

[alerts]                            # what is out of the ordinary enough to tell people; 0 is off
errors = 0.3                        # share of a tool's executed calls that fail
errors_min = 20                     # of so many at least
errors_within_min = 15
burst = 30                          # calls of a tool by one principal within ten minutes, far beyond what is usual
new_tools = 5                       # that a principal takes up within an hour
budget = [80, 100]                  # percents
stuck_min = 15                      # a run is due and nobody works on it
held_min = 240                      # somebody is waited for
fatigue = true                      # approvers who approve nearly everything at a glance

[notify]                            # who is told that a person is waited for; see `interlock notify test`
# link = "https://console.example/approvals/{approval_id}"
# proxy = "http://127.0.0.1:3128"
# reach = ["10.1.0.0/16"]           # hosts and networks that may be told although they are not public
# [[notify.webhooks]]
# name = "slack"
# url_file = "slack.url"            # mode 0600: the address is as good as a password
# [[notify.mail]]
# name = "operators"
# host = "mail.example"
# from = "interlock@example.com"
# to = ["operators@example.com"]

[telemetry]                         # what is told of calls to other systems; nothing is sent anywhere without these
# [telemetry.otlp]
# endpoint = "http://127.0.0.1:4318"  # a collector of OpenTelemetry
# headers_file = "otlp.headers"     # mode 0600: name: value on each line
# service_name = "interlock"
# content = false                   # true: arguments, results and words too, screened once more
# runs = 1.0                        # which part of all runs is told as spans
# accept_trace = true               # a caller may say whose trace its calls belong to
# send_trace = true                 # and services and servers behind are told it
"""

_TOOLS = '''\
"""Three tools to try Interlock with. Put your own here, or name their module in interlock.toml."""

from typing import Annotated

from pydantic import Field

import interlock

OrderId = Annotated[int, Field(ge=1, le=999_999, description="Number of the order.", examples=[7])]
Cents = Annotated[int, Field(ge=1, le=100_000, description="Amount in cents.", examples=[500])]


@interlock.tool(effect="read", resource="order_id", timeout_s=5, examples=[{"order_id": 7}])
def look_up_order(order_id: OrderId) -> dict[str, int | str]:
    """Look up one order: what it cost and where it is. Call it before anything is done to an order."""
    return {"order_id": order_id, "paid_cents": 4900, "status": "delivered"}


@interlock.tool(
    effect="irreversible", keyed=True, resource="order_id", timeout_s=10,
    examples=[{"order_id": 7, "amount_cents": 500}],
)
def refund(order_id: OrderId, amount_cents: Cents, context: interlock.CallContext) -> dict[str, int]:
    """Pay money back for one order. Call it once the customer has named the order and the reason."""
    # A real one sends context.idempotency_key along: the far end then pays once, however often it is asked.
    return {"order_id": order_id, "refunded_cents": amount_cents}


@interlock.tool(effect="privileged", idempotent=True, resource="order_id", timeout_s=10, examples=[{"order_id": 7}])
def delete_order(order_id: OrderId) -> dict[str, bool]:
    """Delete one order for good. Call it only where the law asks for it."""
    return {"deleted": True}
'''
