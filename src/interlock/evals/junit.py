"""A result as JUnit XML, as continuous integration reads it: a test for each trial."""

from __future__ import annotations

from xml.etree import ElementTree as xml

from interlock.core.visible import visible_lines
from interlock.evals.evaluate import Result


def junit(result: Result) -> str:
    """The document. What XML cannot hold, and what hides in a text, stands there as an escape."""
    failed = sum(not trial.passed for trial in result.trials)
    counts = {"name": _plain(result.suite.name), "tests": str(len(result.trials)), "failures": str(failed)}
    whole = xml.Element("testsuites", counts)
    suite = xml.SubElement(whole, "testsuite", counts)
    for trial in result.trials:
        took = 0.0 if trial.run is None else trial.run.latency_ms / 1000
        name = _plain(f"{trial.case} [{trial.number}]")
        case = xml.SubElement(suite, "testcase", classname=_plain(result.suite.name), name=name, time=f"{took:.3f}")
        if trial.failures:
            said = _plain("\n".join(trial.failures))
            xml.SubElement(case, "failure", message=said.partition("\n")[0]).text = said
    xml.indent(whole)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml.tostring(whole, encoding="unicode")}\n'


def _plain(said: str) -> str:
    return "".join(stretch.text for stretch in visible_lines(said))
