"""A suite as it is written: three forms of one, and an error names the file and the field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.evals import suite_file
from interlock.evals.suite_file import load_suite

SMALL: dict[str, Any] = {"suite": "desk", "agent": "desk", "cases": [{"name": "one", "words": "hello"}]}


def written(tmp_path: Path, said: object, name: str = "suite.json") -> Path:
    file = tmp_path / name
    file.write_text(said if isinstance(said, str) else json.dumps(said), encoding="utf-8")
    return file


def with_case(**case: Any) -> dict[str, Any]:
    return SMALL | {"cases": [SMALL["cases"][0] | case]}


def test_json_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    yaml = "suite: desk\nagent: desk\nrepeat: 2\ncases:\n- {name: one, words: hello, expect: {tools: {exactly: [a]}}}\n"
    toml = (
        'suite = "desk"\nagent = "desk"\nrepeat = 2\n'
        '[[cases]]\nname = "one"\nwords = "hello"\nexpect.tools.exactly = ["a"]\n'
    )
    as_json = with_case(expect={"tools": {"exactly": ["a"]}}) | {"repeat": 2}
    found = [
        load_suite(written(tmp_path, said, name))
        for said, name in ((yaml, "a.yaml"), (toml, "a.toml"), (as_json, "a.json"))
    ]
    assert found[0] == found[1] == found[2]
    assert found[0].cases[0].repeat == 2
    assert (found[0].cases[0].expect.order, found[0].cases[0].expect.tools) == ("exactly", ("a",))


def test_what_is_left_out_is_not_asked(tmp_path: Path) -> None:
    found = load_suite(written(tmp_path, SMALL))
    assert found.principal == Principal("eval")
    assert (found.approver, found.judge, found.chaos, found.reads, found.recorded) == (None, None, (), False, False)
    assert (found.need.pass_rate, found.need.lost) == (1.0, 0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SMALL | {"agnet": "x"}, "unknown key 'agnet'. Did you mean 'agent'?"),
        (with_case(expects={}), "unknown key 'cases.0.expects'. Did you mean 'expect'?"),
        (with_case(expect={"calls": [{"tool": "a", "argument": {}}]}), "unknown key 'cases.0.expect.calls.0.argument'"),
        (with_case(expect={"calls": [{"tool": "a", "arguments": {"/x": {}}}]}), "say equals, matches, between"),
        (with_case(expect={"calls": [{"tool": "a", "arguments": {"x": {"equals": 1}}}]}), "'x' is no pointer"),
        (with_case(expect={"calls": [{"tool": "a", "arguments": {"/x": {"matches": "("}}}]}), "not a schema"),
        (with_case(expect={"tools": {"exactly": [], "in_order": []}}), "cases.0.expect.tools: say one of"),
        (with_case(expect={"tools": {}}), "cases.0.expect.tools: say one of"),
        (with_case(expect={"end": "soon"}), "cases.0.expect.end: "),
        (with_case(expect={"calls": [{"tool": "a", "outcome": "ok"}]}), "cases.0.expect.calls.0.outcome"),
        (with_case(repeat=0), "cases.0.repeat: "),
        (with_case(words=""), "'one' has no words"),
        (with_case(rubric="polite"), "'one' has a rubric, and the suite no judge"),
        (with_case(run="run_1"), "'one' names a run, and the suite has no `runs`"),
        (SMALL | {"cases": SMALL["cases"] * 2}, "two are called 'one'"),
        (SMALL | {"cases": []}, "cases: "),
        (SMALL | {"runs": {}}, "nothing is played"),
        (SMALL | {"chaos": [{"fail": 0.6, "lie": 0.6}]}, "chaos.0: together they are more than 1"),
        (SMALL | {"need": {"pass_rate": 2}}, "need.pass_rate: "),
        (SMALL | {"far_end": "real"}, "far_end: "),
        ([], "no object"),
        ("{", "not JSON"),
    ],
)
def test_what_is_not_acceptable_is_named_with_its_file_and_field(tmp_path: Path, said: object, told: str) -> None:
    file = written(tmp_path, said)
    with pytest.raises(BadInput) as found:
        load_suite(file)
    assert str(file) in str(found.value)
    assert told in str(found.value)
    assert found.value.code == "eval.suite"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml: No such file"):
        load_suite(tmp_path / "nowhere.yaml")


def test_a_yaml_bomb_or_a_doubled_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="stands twice"):
        load_suite(written(tmp_path, "suite: a\nsuite: b\n", "twice.yaml"))


# The page


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "evaluate-agents.md").read_text(encoding="utf-8")


def test_every_key_of_a_suite_stands_on_the_page() -> None:
    keys = {name for model in suite_file.MODELS for name in model.model_fields}
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", PAGE)) == []


def test_the_suites_of_the_page_are_suites(tmp_path: Path) -> None:
    whole = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("suite:")]
    assert [load_suite(written(tmp_path, text, "page.yaml")).name for text in whole] == [
        "support desk",
        "what production did",
    ]
