"""A deployment in a temporary folder, and command lines typed into it by several people."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from click.testing import CliRunner

from interlock.cli.command import Surroundings
from interlock.cli.main import main
from interlock.compose import World, open_store
from interlock.core.event import Event, Fact
from interlock.core.ids import CountedIds
from interlock.ledger.store import Append, Claim
from interlock.settings import load_settings
from interlock.testing import FrozenClock

TOOLS = '''
from typing import Annotated, Literal
from pydantic import Field
import interlock

OrderId = Annotated[int, Field(ge=1, le=999)]

@interlock.tool(effect="read")
def look(order_id: OrderId, part: Literal["status", "price"] = "status") -> dict[str, int | str]:
    """Look up one order."""
    return {"order_id": order_id, "part": part}

@interlock.tool(effect="irreversible", resource="order_id", keyed=True)
def refund(order_id: int, cents: int, reason: str = "none") -> dict[str, int]:
    """Pay money back."""
    return {"order_id": order_id, "refunded_cents": cents}

@interlock.tool(effect="privileged")
def wipe(order_id: int) -> bool:
    """Delete an order."""
    return True

@interlock.tool(effect="reversible", attempts_max=1)
def flaky(order_id: int) -> bool:
    """Take effect, perhaps, and never say so."""
    raise RuntimeError("the line went dead")

@interlock.tool(effect="reversible", attempts_max=1)
def rejecting(order_id: int) -> bool:
    """Say no."""
    raise interlock.Rejected("no such order", reason="there is no such order")

@interlock.tool(effect="read")
def lying(order_id: int) -> int:
    """Return something else than it declares."""
    return "text"
'''

ENTITY = '''
from pydantic import BaseModel

class Found(BaseModel):
    owner: str

@interlock.tool(effect="read")
def order(order_id: int) -> Found:
    """Look up what an order is."""
    return Found(owner="ana")
'''

PEOPLE = {
    "root": frozenset({"admin"}),
    "ana": frozenset({"support"}),
    "maria": frozenset({"approver"}),
    "olga": frozenset({"operator"}),
    "zoe": frozenset(),
}


class Ran(NamedTuple):
    """What a command line wrote, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def document(self) -> Any:
        """The one JSON document on the standard output."""
        assert self.err == "", "nothing but the document is written"
        assert self.out.isascii()
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder with a deployment, and the people who type there."""

    folder: Path
    clock: FrozenClock = field(default_factory=FrozenClock)
    keys: dict[str, str] = field(default_factory=dict)
    width: int | None = 100

    def __post_init__(self) -> None:
        self._around = World(clock=self.clock, new_id=CountedIds())

    def run(self, *words: str, who: str = "ana", typed: str = "", key: str | None = None) -> Ran:
        """Type one command line."""
        runner = CliRunner()
        env = {
            "INTERLOCK_KEY": self.keys.get(who, "") if key is None else key,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "INTERLOCK_CONFIG": None,
            "NO_COLOR": "1",
            "COLUMNS": None,
        }
        code = None
        with runner.isolation(input=typed, env=env) as (out, err, _):
            try:
                main(words, Surroundings(world=self._around, width=self.width))
            except SystemExit as end:
                code = end.code
            sys.stdout.flush()
            return Ran(out.getvalue().decode(), err.getvalue().decode(), int(code or 0))

    def json(self, *words: str, who: str = "ana", code: int = 0, typed: str = "") -> Any:
        """Type one command line with --json; its document, after checking the exit code."""
        ran = self.run(*words, "--json", who=who, typed=typed)
        assert ran.code == code, ran
        return ran.document

    def add_entity(self) -> None:
        """Let the argument of `look` name an order, which `order` looks up. Before anything is typed."""
        [module] = self.folder.glob("shop_tools_*.py")
        declared = 'resource="order_id", entities={"order_id": interlock.Entity(type="Order", lookup="order")}'
        text = module.read_text().replace('(effect="read")\ndef look', f'(effect="read", {declared})\ndef look')
        module.write_text(text + ENTITY)

    def append(self, run_id: str, *facts: Fact, claim: Claim | None = None, tenant: str = "default") -> None:
        """Write to the ledger as another process would."""

        async def write() -> None:
            store = open_store(load_settings(self.folder / "interlock.toml"), self._around)
            await store.append(Append(run_id, tenant, facts, claim=claim))
            await store.close()

        anyio.run(write)

    def events(self, run_id: str) -> list[Event]:
        """What stands in a run's chain."""

        async def read() -> list[Event]:
            store = open_store(load_settings(self.folder / "interlock.toml"), World(clock=self.clock))
            try:
                return await store.read(run_id)
            finally:
                await store.close()

        return anyio.run(read)

    def held(self, cents: int = 500) -> str:
        """Id of the approval that a fresh refund of Ana's waits for."""
        return str(self.json("call", "refund", f'{{"order_id": 7, "cents": {cents}}}', code=3)["approval_id"])
