"""Reading a policy folder: every statement a rule with file, line and annotations, or a refusal to load."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import PolicyError
from interlock.policy.rules import DEFAULT_POLICY, Source, parse_rules, read_sources

FORBID = "forbid (principal, action, resource);"


def one(text: str) -> object:
    [rule] = parse_rules([Source("a.cedar", text)])
    return rule


def error(*texts: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_rules([Source(f"{chr(97 + number)}.cedar", text) for number, text in enumerate(texts)])
    return caught.value


def test_a_rule_knows_its_line_though_comments_and_strings_have_semicolons() -> None:
    text = (
        '// first; "not" a rule\n\npermit (principal, action, resource)\nwhen { principal.id == "a;\\"b" };\n\n// c\n'
        + FORBID
    )
    rules = parse_rules([Source("a.cedar", text)])
    assert [(rule.place, rule.permits, rule.rule_id) for rule in rules] == [
        ("a.cedar:3", True, "a.cedar:3"),
        ("a.cedar:7", False, "a.cedar:7"),
    ]


def test_annotations_become_what_releases_a_hold() -> None:
    text = '@id("h") @approvers("finance, legal") @quorum("2") @expires("90m") @verify ' + FORBID
    [rule] = parse_rules([Source("a.cedar", text)])
    hold = rule.hold(usual_s=1)
    assert (rule.rule_id, rule.verify) == ("h", True)
    assert (hold.groups, hold.quorum, hold.expires_s, hold.rules) == ({"finance", "legal"}, 2, 5400, ("h",))


def test_without_expires_a_hold_lasts_the_tiers_usual_time() -> None:
    [rule] = parse_rules([Source("a.cedar", '@approvers("a") ' + FORBID)])
    assert (rule.hold(900).expires_s, rule.hold(900).quorum) == (900, 1)


@pytest.mark.parametrize(
    ("notes", "says"),
    [
        ('@aprovers("a")', "@aprovers is not known"),
        ('@quorum("2")', "@quorum means nothing on a forbid without @approvers"),
        ('@expires("2h")', "@expires means nothing on a forbid without @approvers"),
        ("@verify", "@verify means nothing on a forbid without @approvers"),
        ('@approvers("a") @verify("no")', "@verify takes no value"),
        ('@approvers("")', "@approvers needs"),
        ("@approvers", "@approvers needs"),
        ('@approvers("a,,b")', "@approvers needs"),
        ('@approvers("a,a")', "@approvers needs"),
        ('@approvers("a") @quorum("0")', "@quorum needs"),
        ('@approvers("a") @quorum("two")', "@quorum needs"),
        ('@approvers("a") @quorum("²")', "@quorum needs"),
        ('@approvers("a") @quorum("11")', "@quorum needs"),
        ('@approvers("a") @expires("31d")', "@expires needs"),
        ('@approvers("a") @expires("0s")', "@expires needs"),
        ('@approvers("a") @expires("1 h")', "@expires needs"),
        ('@id("")', "@id needs"),
        ('@id("a b")', "@id needs"),
        ('@id("a") @id("b")', "duplicate annotation"),
    ],
)
def test_an_annotation_that_is_not_understood_is_a_load_error(notes: str, says: str) -> None:
    """Defect 19 and T34: a safeguard that would never be read is not accepted."""
    found = error(f"\n{notes}\n{FORBID}")
    assert str(found).startswith("a.cedar:2: ") and says in str(found)


@pytest.mark.parametrize("note", ['@approvers("a")', '@quorum("2")', '@expires("1h")'])
def test_what_belongs_to_a_hold_is_refused_on_a_permit(note: str) -> None:
    assert "means nothing on a permit" in str(error(f"{note} permit (principal, action, resource);"))


def test_verify_may_stand_on_a_permit() -> None:
    [rule] = parse_rules([Source("a.cedar", "@verify permit (principal, action, resource);")])
    assert rule.verify and not rule.holds


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("permit (principal, action, resource)", "a.cedar:1", "policy.parse"),
        (f"{FORBID}\n\nforbid (principal, acton, resource);", "a.cedar:3", "policy.parse"),
        (f"{FORBID}\nallow everything;", "a.cedar:2", "policy.parse"),
        (
            f'{FORBID}\nforbid (principal, action, resource) when {{ principal.id == "open }};',
            "a.cedar:2",
            "policy.parse",
        ),
        (f"// a\r{FORBID[:-1]}", "a.cedar:1", "policy.parse"),
        (";", "a.cedar:1", "policy.parse"),
        ("\npermit (principal == ?principal, action, resource);", "a.cedar:2", "policy.template"),
    ],
)
def test_what_does_not_parse_is_named_by_file_and_line(text: str, place: str, code: str) -> None:
    """T34: what could be read in two ways, or in part, is not read."""
    found = error(text)
    assert str(found).startswith(place + ": ") and found.code == code


def test_two_rules_cannot_have_one_id() -> None:
    found = error(f'@id("x") {FORBID}', f'\n@id("x") {FORBID}')
    assert str(found).startswith("b.cedar:2: ") and "a.cedar:1" in str(found)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "20.cedar").write_text("// b")
    (tmp_path / "10.cedar").write_text("// a")
    (tmp_path / "notes.txt").write_text("not a policy")
    assert [source.name for source in read_sources(tmp_path)] == ["10.cedar", "20.cedar"]


def test_a_file_in_a_subfolder_is_refused_because_it_would_not_be_read(tmp_path: Path) -> None:
    """Defect 19."""
    (tmp_path / "a.cedar").write_text("")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.cedar").write_text(FORBID)
    with pytest.raises(PolicyError, match="subfolder"):
        read_sources(tmp_path)


def test_nothing_to_read_is_an_error_and_not_a_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no \*\.cedar file"):
        read_sources(tmp_path)
    with pytest.raises(PolicyError, match="No such file"):
        read_sources(tmp_path / "missing.cedar")
    (tmp_path / "a.cedar").write_bytes(b"\xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        read_sources(tmp_path)


def test_the_policy_that_ships_is_a_file_with_ids() -> None:
    rules = parse_rules(read_sources(DEFAULT_POLICY))
    assert all(":" not in rule.rule_id for rule in rules) and len(rules) == 9
