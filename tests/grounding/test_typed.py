"""Values in the one form of their kind."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.grounding.typed import Typed, Unfit, fits, typed


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("1,234.50", "number", "1234.5"),
        (1234.5, "number", "1234.5"),
        (5.0, "number", "5"),
        (1e22, "number", "10000000000000000000000"),
        (0.1, "number", "0.1"),
        (-0.0, "number", "0"),
        ("Bob+x@B\u00dcCHER.de", "email", "Bob+x@xn--bcher-kva.de"),
        ("https://EXAMPLE.com/a/../b%20c/?q=A#f", "url", "https://example.com:443/b c?q=A"),
        ("http://[::1]:80", "url", "http://::1:80/"),
        ("gb29 nwbk 6016 1331 9268 19", "iban", "GB29NWBK60161331926819"),
        ("15 May 2024", "date", "2024-05-15"),
        ("May 15th", "date", "--05-15"),
        ("2024-5-1", "date", "2024-05-01"),
        ("31/12/2024", "date", "2024-12-31"),
        ("2024-05-15T10:00:00", "moment", "2024-05-15T10:00"),
        ("3:05 pm", "time", "15:05"),
        ("$1,250", "money", "USD 1250"),
        ("50 euros", "money", "EUR 50"),
        ("+49 (170) 123-4567", "phone", "491701234567"),
        ("AE2F1E3C-1234-4ABC-8DEF-0123456789AB", "uuid", "ae2f1e3c-1234-4abc-8def-0123456789ab"),
        ("/srv/./a/../b//c", "path", "/srv/b/c"),
    ],
)
def test_a_value_has_one_form_of_its_kind(value: object, kind: str, text: str) -> None:
    assert typed(value) == Typed(kind, text)


@pytest.mark.parametrize(
    "value",
    [
        "hello",
        "",
        True,
        None,
        "http://user@evil.com/",
        "03/06/2024",
        "GB29NWBK60161331926818",
        "a b@c.de",
        "12 monkeys",
    ],
)
def test_what_is_of_no_kind_has_none(value: object) -> None:
    assert typed(value) is None


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("http://user:pw@evil.com/", "url"),
        ("http://evil.com\\@good.com/", "url"),
        ("javascript:alert(1)", "url"),
        ("not a mail", "email"),
        ("a@b@c.de", "email"),
        ("GB29NWBK60161331926818", "iban"),
        ("2024-02-30", "date"),
        ("ten", "number"),
        ("two words", "id"),
        ("a\nb", "path"),
        (5, "email"),
    ],
)
def test_what_is_not_of_its_shape_is_unfit(value: object, shape: str) -> None:
    assert not fits(value, shape)
    with pytest.raises(Unfit):
        typed(value, shape)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_number_is_the_same_with_thousands_signs(amount: Decimal) -> None:
    assert typed(f"{amount:,}") == typed(f"{amount}") == typed(typed(f"{amount}").text)  # type: ignore[union-attr]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_read_exactly(value: float) -> None:
    found = typed(value)
    assert found is not None and float(found.text) == value
