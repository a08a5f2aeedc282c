"""Docstrings as descriptions."""

from __future__ import annotations

from interlock.registry.docstring import read_docstring


def test_the_text_ends_at_the_first_section_and_each_parameter_has_its_own() -> None:
    def function() -> None:
        """Do a thing.

        With care: always.

        Args:
            first: The first,
                which goes on: here.

                And here.
            second (int, optional): The second.
            *rest: What is left.
        stray

        Returns:
            first: not a parameter.

        Raises:
            ValueError: never.
        """

    read = read_docstring(function)
    assert read.text == "Do a thing.\n\nWith care: always."
    assert read.parameters == {
        "first": "The first, which goes on: here. And here.",
        "second": "The second.",
        "rest": "What is left. stray",
    }


def test_a_function_without_a_docstring_says_nothing() -> None:
    def function() -> None: ...

    assert read_docstring(function) == ("", {})


def test_a_section_without_entries_is_no_parameter() -> None:
    def function() -> None:
        """Do.

        Args:
            just words
        """

    assert read_docstring(function) == ("Do.", {})
