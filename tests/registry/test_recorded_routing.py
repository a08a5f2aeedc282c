"""Routing and guesses on the data folder, small: `make routing` and `make effects` print the whole."""

from __future__ import annotations

import pytest

from proof.effects import READS_MISSED_MAX, WRITES_MISSED_MAX, labelled, missed
from proof.routing import AT, collections, hit, plain, ranked

pytestmark = pytest.mark.usefixtures("data_dir")


def test_the_right_tools_are_among_the_first_ten_no_less_often_than_with_plain_bm25() -> None:
    for collection in collections():
        queries = collection.queries[:60]
        ours, theirs = (
            sum(hit(query.needed, rank(query.text)[:AT]) for query in queries)
            for rank in (ranked(collection.tools), plain(collection.tools))
        )
        assert ours >= theirs, collection.name


def test_of_a_hundred_writes_at_most_two_are_guessed_to_be_reads() -> None:
    for name, tools in labelled().items():
        writes, reads = missed(tools)
        assert (writes.value or 0) <= WRITES_MISSED_MAX and (reads.value or 0) <= READS_MISSED_MAX, name
