"""The dashboards as files: what they ask for is told, and they are of the form that Grafana reads. Requirement D6."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.telemetry.prometheus import METRICS

GRAFANA = Path(__file__).parents[2] / "docs/grafana"
FILES = sorted(GRAFANA.glob("*.json"))
NAME = re.compile(r"\binterlock_[a-z_]+")
TOLD = re.compile(r"\b(interlock_[a-z_]+)(?:\{([^}]*)\})?")

LABELS = {
    "interlock_calls_total": {"tool", "server", "effect", "outcome"},
    "interlock_told_total": {"outcome", "gate", "code"},
    "interlock_errors_total": {"tool", "outcome", "code"},
    "interlock_call_seconds_bucket": {"part", "le"},
    "interlock_tool_seconds_bucket": {"tool", "le"},
    "interlock_runs_total": {"how", "end"},
    "interlock_approvals_answered_total": {"answer"},
    "interlock_tokens_total": {"model", "agent", "direction"},
}


def panels(file: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(file.read_text())["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_has_the_form_that_grafana_reads(file: Path) -> None:
    board = json.loads(file.read_text())
    assert board["schemaVersion"] >= 36 and board["id"] is None and board["uid"] and board["title"]
    kinds = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    assert kinds == {"datasource": "datasource", "instance": "query", "tenant": "query"}
    [instance] = [variable for variable in board["templating"]["list"] if variable["name"] == "instance"]
    assert not instance["multi"] and not instance["includeAll"], "every worker tells all: they are not added up"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels(file):
        assert panel["title"] and panel["description"] and panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
        assert all(target["expr"] and target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_metric_of_a_panel_is_told_and_is_of_one_instance(file: Path) -> None:
    for panel in panels(file):
        for target in panel["targets"]:
            found = TOLD.findall(target["expr"])
            assert found, panel["title"]
            for name, selector in found:
                assert name in METRICS, (panel["title"], name)
                assert "instance=~" in selector, (panel["title"], "summed over workers it would count twice")
                used = set(re.findall(r"(\w+)=", selector)) - {"instance", "tenant"}
                assert used <= LABELS.get(name, used), (panel["title"], used)


def test_what_the_requirement_names_is_on_a_dashboard() -> None:
    asked = "\n".join(target["expr"] for file in FILES for panel in panels(file) for target in panel["targets"])
    shown = set(NAME.findall(asked))
    assert METRICS - shown == {
        "interlock_call_seconds_count", "interlock_call_seconds_sum", "interlock_tool_seconds_count",
        "interlock_tool_seconds_sum",
    }, "every metric is on some panel"  # fmt: skip
    for part in ("model", "tool", "gates", "person"):
        for share in ("0.5", "0.95", "0.99"):
            assert re.search(rf'histogram_quantile\({share}, [^\n]*part="{part}"', asked), (part, share)


def test_the_rules_for_prometheus_ask_for_what_is_told() -> None:
    rules = yaml.safe_load((GRAFANA / "prometheus-rules.yaml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert rule["alert"] and rule["annotations"]["summary"]
        assert set(NAME.findall(rule["expr"])) <= METRICS
        assert "instance" in rule["expr"] or rule["expr"].startswith(("absent(", "min(")), "workers are not added up"
