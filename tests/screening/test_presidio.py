"""Presidio as an extra: said where it is missing, beside our patterns where it is there."""

from __future__ import annotations

import sys

import pytest

from interlock.compose import open_copiers
from interlock.errors import MissingExtra, SettingsError
from interlock.screening_settings import ScreeningSettings
from interlock.settings import Settings


def test_without_the_extra_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "interlock.screening.presidio", raising=False)
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtra, match=r"interlock\[pii\]"):
        open_copiers(Settings(ledger=None, screening=ScreeningSettings(presidio="en_core_web_sm")))


def test_a_pipeline_that_is_not_here_is_an_error_that_names_it() -> None:
    pytest.importorskip("presidio_analyzer")
    with pytest.raises(SettingsError, match="xx_none"):
        open_copiers(Settings(ledger=None, screening=ScreeningSettings(presidio="xx_none")))


def test_a_name_is_found_and_a_checksum_goes_before_a_model() -> None:
    pytest.importorskip("presidio_analyzer")
    pytest.importorskip("en_core_web_sm")
    from interlock.screening.presidio import finder

    text = "John Smith pays with 4454794511390933."
    assert [(span.what, text[span.start : span.end]) for span in finder("en_core_web_sm").find(text)] == [
        ("person", "John Smith"), ("card", "4454794511390933"),
    ]  # fmt: skip
