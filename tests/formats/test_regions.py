"""Regions as people write them, against the coordinate table of the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import UsageError
from polytene.formats.regions import Region, close_names, parse_region

LENGTHS = {
    "chr1": 5000,
    "HLA:A*01": 60,
    "NC_023163.2:1-21384": 21384,
    "NC_023163.2": 30000,
    "a|b": 9,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1:1000-2000", ("chr1", 999, 2000)),
        ("chr1:1-1", ("chr1", 0, 1)),
        ("chr1:1000..2000", ("chr1", 999, 2000)),
        ("chr1:1,000-2,000", ("chr1", 999, 2000)),
        ("chr1:5000-5000", ("chr1", 4999, 5000)),
        ("HLA:A*01:1-50", ("HLA:A*01", 0, 50)),
    ],
)
def test_with_and_without_the_lengths(text, expected):
    assert parse_region(text) == parse_region(text, LENGTHS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1", ("chr1", 0, 5000)),
        ("chr1:1000-", ("chr1", 999, 5000)),
        ("chr1:5000-", ("chr1", 4999, 5000)),
        ("HLA:A*01", ("HLA:A*01", 0, 60)),
        ("NC_023163.2:1-21384", ("NC_023163.2:1-21384", 0, 21384)),
        ("{NC_023163.2}:1-21384", ("NC_023163.2", 0, 21384)),
        ("{NC_023163.2:1-21384}:100-200", ("NC_023163.2:1-21384", 99, 200)),
        ("NC_023163.2:1-21384:100-200", ("NC_023163.2:1-21384", 99, 200)),
        ("{chr1}", ("chr1", 0, 5000)),
        ("a|b:2-3", ("a|b", 1, 3)),
    ],
)
def test_the_lengths_say_what_is_meant(text, expected):
    assert parse_region(text, LENGTHS) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("chr1:0-5", "1-based"),
        ("chr1:10-9", "ends before"),
        ("chr1:5.9", "is no region"),
        ("chr1:-3-5", "is no region"),
        ("chr1:1000", "chr1.*1000-1000"),
        ("chr1:", "is no region"),
        ("chr1:a-b", "is no region"),
        ("chr1:1,00-2000", "is no region"),
        ("chr1:\u0661-5", "is no region"),
        ("chr1: 1-5", "is no region"),
        ("chr1:1-5\n", "is no region"),
        ("chr1:5001-5002", "begins after the end"),
        ("chr1:5001-", "begins after the end"),
        ("chr1:4000-5001", "5,000 bases"),
        ("chr2:1-5", "did you mean chr1"),
        ("1:1-5", "did you mean chr1"),
        ("zzzzzzzz", "names no sequence"),
        ("", "names no sequence"),
        (":1-5", "names no sequence"),
        ("{chr1:1-5", "names no sequence"),
    ],
)
def test_what_is_wrong_is_said(text, why):
    with pytest.raises(UsageError, match=why):
        parse_region(text, LENGTHS)


@pytest.mark.parametrize("text", ["chr1", "chr1:1000-", "chr1:1000", "", ":1-5", "chr1:0-4"])
def test_without_the_lengths_the_end_has_to_be_there(text):
    with pytest.raises(UsageError, match="region"):
        parse_region(text)


def test_clip():
    assert parse_region("chr1:4000-9999", LENGTHS, clip=True) == ("chr1", 3999, 5000)
    with pytest.raises(UsageError, match="begins after"):
        parse_region("chr1:6000-9999", LENGTHS, clip=True)


@given(
    seqid=st.text(min_size=1, max_size=12).filter(lambda s: s.strip()),
    start=st.integers(0, 10**10),
    size=st.integers(1, 10**9),
)
def test_what_is_written_is_read_back(seqid, start, size):
    region = Region(seqid, start, start + size)
    assert parse_region(str(region), {seqid: start + size}) == region
    assert region.size == size


def test_names_that_are_nearly_right():
    assert close_names("1", ["chr2", "chr1"]) == ["chr1"]
    assert close_names("chr01", ["chr1", "chr2"]) == ["chr1"]
    assert close_names("qqqqqqq", ["chr1"]) == []
