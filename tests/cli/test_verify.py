"""`interlock verify calibrate`: figures of the verifier that the settings name."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from rich.text import Text

from interlock.cli.verify import curve
from interlock.verification.calibrate import Row, Share
from tests.cli.shell import Shell
from tests.models.provider import provider
from tests.models.test_pydantic_ai import answering

CHECKS = """
def small(view):
    return None if view.arguments["cents"] < 1000 else "ten euros or more"

RULES = (small,)
"""


def labelled(cents: int, label: str) -> dict[str, Any]:
    call = {"tool": "refund", "effect": "irreversible", "arguments": {"cents": cents}}
    return {**call, "words": "pay it back", "label": label}


_modules = count(1)


def ready(shell: Shell, *lines: Any, verify: str | None = None, checks: str = CHECKS) -> str:
    """Settings with a verifier, rules unless another is named, and a file of labelled calls."""
    name = f"cli_checks_{next(_modules)}"
    (shell.folder / f"{name}.py").write_text(checks)
    verify = f'rules = ["{name}"]' if verify is None else verify
    settings = shell.folder / "interlock.toml"
    settings.write_text(f"{settings.read_text()}\n[verify]\n{verify}\n")
    file = shell.folder / "labelled.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return str(file)


CALLS = (labelled(5, "right"), labelled(2000, "wrong"), "", labelled(3000, "right"), labelled(7, "wrong"))


def test_calibrate_counts_what_the_verifier_of_the_settings_stops(shell: Shell) -> None:
    file = ready(shell, *CALLS)
    found = shell.json("verify", "calibrate", file)
    assert (found["calls"], found["wrong"], found["right"]) == (4, 2, 2)
    assert found["verdicts"] == {"approved": 2, "rejected": 2, "uncertain": 0}
    [row] = found["thresholds"]
    assert [row[name]["part"] for name in ("recall", "precision", "cost")] == [1, 1, 1]
    assert [row[name]["whole"] for name in ("recall", "precision", "cost")] == [2, 2, 2]
    page = shell.run("verify", "calibrate", file).out
    assert "4: 2 wrong, 2 right" in page
    assert "1 of 2  50.0 %" in page
    assert "●" in page


def test_calibrate_asks_a_model_once_a_line_and_says_what_it_cost(shell: Shell) -> None:
    """B8: what each confidence would have meant is charted."""
    verdicts = [answering("openai", verdict="approved", confidence=sure) for sure in (95, 40, 95, 60)]
    with provider(*verdicts) as server:
        file = ready(
            shell, *CALLS,
            verify=f'model = "openai:m"\nbase_url = "{server.url}"\nprice_input = 1000000\nprice_output = 1000000',
        )  # fmt: skip
        found = shell.json("verify", "calibrate", file)
    assert len(server.asked) == 4
    assert (found["tokens"], found["micro_usd"]) == (4 * 28, 4 * 28)
    assert [(row["threshold"], row["recall"]["part"], row["cost"]["part"]) for row in found["thresholds"]] == [
        (0, 0, 0), (41, 1, 0), (61, 2, 0), (96, 2, 2)
    ]  # fmt: skip


def test_a_line_that_is_none_is_named_by_its_number(shell: Shell) -> None:
    file = ready(shell, labelled(5, "right"), "", labelled(5, "maybe"))
    ran = shell.run("verify", "calibrate", file)
    assert (ran.code, ran.out) == (2, "")
    assert "labelled.jsonl:3: label" in ran.err


@pytest.mark.parametrize(("lines", "what"), [((), "no call in it"), (("{",), ":1: not JSON")])
def test_a_file_without_calls_is_an_error(shell: Shell, lines: tuple[str, ...], what: str) -> None:
    ran = shell.run("verify", "calibrate", ready(shell, *lines))
    assert ran.code == 2
    assert what in ran.err


def test_without_a_verifier_there_is_nothing_to_measure(shell: Shell) -> None:
    file = ready(shell, *CALLS, verify="")
    ran = shell.run("verify", "calibrate", file)
    assert ran.code == 2
    assert "no verifier is set up" in ran.err
    assert shell.run("verify", "calibrate", "absent.jsonl").code == 2


def test_reasons_of_uncertain_verdicts_are_counted_and_shown_as_text(shell: Shell) -> None:
    file = ready(shell, *CALLS, checks='def wild(view):\n    raise ValueError("\\x1b[31m")\nRULES = (wild,)\n')
    found = shell.json("verify", "calibrate", file)
    assert found["uncertain"] == {"wild raised ValueError": 4}
    assert "4: wild raised ValueError" in shell.run("verify", "calibrate", file).out


def test_the_curve_goes_from_nothing_stopped_to_everything_stopped() -> None:
    rows = [Row(0, Share(0, 10), Share(0, 0), Share(0, 10)), Row(90, Share(10, 10), Share(10, 20), Share(10, 10))]
    lines = curve(rows)
    assert (lines[0][:6], lines[0][46:]) == (" 100 │", "●")
    assert lines[10].startswith("   0 │●")
    assert all(Text(line).cell_len <= 48 for line in lines)


def test_who_decides_is_shown_what_the_reader_says(shell: Shell) -> None:
    broken = "def wild(view):\n    raise ValueError\nRULES = (wild,)\n"
    ready(shell, checks=broken)
    settings = shell.folder / "interlock.toml"
    settings.write_text(
        settings.read_text().replace("[verify]", 'policy = "rules.cedar"\n[verify]\nreview = "approver"', 1)
    )
    lines = settings.read_text().splitlines()
    policy = next(line for line in lines if line.startswith("policy"))
    settings.write_text("\n".join([policy, *(line for line in lines if line != policy)]))
    (shell.folder / "rules.cedar").write_text('@id("v") @verify permit (principal, action, resource);')
    approval_id = shell.json("call", "refund", '{"order_id": 7, "cents": 5}', code=3)["approval_id"]
    page = shell.run("approvals", "show", approval_id, who="maria").out
    assert "What a second reader says" in page
    assert "uncertain, by rules:cli_checks_" in page
    assert shell.json("approvals", "show", approval_id, who="maria")["verify"]["why"] == "wild raised ValueError"
