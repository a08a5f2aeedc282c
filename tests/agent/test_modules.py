"""Agents of modules that the settings name, so that workers of the command line know them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock import Agent, Settings, open_plane
from interlock.agent.loop import Agents
from interlock.errors import SettingsError
from interlock.models.replay import ReplayModel
from tests.planes import ANA

pytestmark = pytest.mark.anyio

MODULE = """
from interlock import Agent
from interlock.core.message import Message, Role
from interlock.models.replay import ReplayModel

DESK = Agent("desk", ReplayModel(Message(role=Role.MODEL, text="Here I am.")))
ALSO_DESK = DESK
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "made_agents.py").write_text(MODULE)
    (tmp_path / "made_nothing.py").write_text("")
    yield tmp_path
    for name in ("made_agents", "made_nothing"):
        sys.modules.pop(name, None)


async def test_a_modules_agents_are_known_and_go_on_with_runs_of_others(folder: Path) -> None:
    settings = Settings(folder=folder, ledger=folder / "ledger.db", agents=("made_agents",))
    async with open_plane(settings, engine=False) as plane, plane.agent("desk", ANA, words="x") as run:
        pass
    async with open_plane(settings, engine=False) as plane:
        [due] = await plane.store.due()
        await plane.advance(due.run_id, due.tenant)
        async with plane.agent("desk", ANA, run_id=run.run_id) as again:
            assert (await again.result()).text == "Here I am."


@pytest.mark.parametrize("module", ["made_nothing", "made_by_nobody"])
async def test_a_module_without_agents_is_a_mistake(module: str, folder: Path) -> None:
    with pytest.raises(SettingsError, match=f"agents: .*{module}"):
        async with open_plane(Settings(folder=folder, ledger=None, agents=(module,))):
            pass


async def test_where_there_is_one_agent_it_is_the_one_that_is_meant() -> None:
    one, other = (Agent(name, ReplayModel()) for name in ("desk", "clerk"))
    assert Agents([one]).only is one
    assert Agents([one, other]).only is None
    assert Agents().only is None
