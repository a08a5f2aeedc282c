"""Names and other personal data by Presidio: a leaf, the extra `pii`.

Ours go first, for a checksum is more certain than a model; Presidio adds what stands apart from them, names of people
and places above all. It takes milliseconds for a text where ours take microseconds, and sees every text of a tool that
asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from interlock.errors import MissingExtra, SettingsError
from interlock.screening.personal import Finder, personal_in
from interlock.screening.secrets import Span

try:
    import spacy
    import tldextract.tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
except ImportError:
    raise MissingExtra("Presidio needs an extra", remedy="Install `interlock[pii]`.") from None

SCORE_MIN: Final = 0.5
"""What Presidio is less sure of than this is left."""

_KINDS: Final = {
    "PERSON": "person", "LOCATION": "place", "NRP": "group", "ORGANIZATION": "organisation", "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone",
    "US_DRIVER_LICENSE": "licence", "MEDICAL_LICENSE": "licence", "US_PASSPORT": "passport", "CRYPTO": "wallet",
    "US_BANK_NUMBER": "account", "US_ITIN": "ssn", "UK_NHS": "health",
}  # fmt: skip
"""What is taken of Presidio's types, and what it is called here."""


def finder(model: str) -> Finder:
    """What finds personal data by our patterns and by Presidio.

    Args:
        model: Name of an installed spaCy pipeline for English, such as `en_core_web_sm`.

    Raises:
        SettingsError: There is no such pipeline here.
    """
    analyse = analyser(model)

    def find(text: str) -> list[Span]:
        taken = personal_in(text)
        for span in analyse(text):
            kind = _KINDS.get(span.what)
            if kind and all(span.end <= one.start or span.start >= one.end for one in taken):
                taken.append(span._replace(what=kind))
        return sorted(taken)

    return Finder(find, (r"\S",))


def analyser(model: str) -> Callable[[str], list[Span]]:
    """Presidio by itself: what it is sure of, by its own names of the types, the most certain first.

    Raises:
        SettingsError: There is no such pipeline here.
    """
    if not spacy.util.is_package(model):
        raise SettingsError(
            f"there is no spaCy pipeline {model!r} here", code="settings.value",
            remedy="Install it, or leave `screening.presidio` out.",
        )  # fmt: skip
    # Of a mail address it asks a list of public suffixes, which is fetched from the network unless it is told not to.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    engine = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    analyzer = AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=engine).create_engine(), supported_languages=["en"]
    )

    def analyse(text: str) -> list[Span]:
        found = analyzer.analyze(text, language="en", score_threshold=SCORE_MIN)
        ordered = sorted(found, key=lambda each: (-each.score, each.start))
        return [Span(each.start, each.end, str(each.entity_type)) for each in ordered]

    return analyse
