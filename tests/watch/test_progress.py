"""What people read while a run works: honest figures, and no id that moves the cursor."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import Begun, Ended, Failure, Folding, Settled
from polytene.watch.progress import PlainLines, printable, progress
from polytene.watch.rates import Meter, clock_text, plural

BEGUN = Begun("codons-count", "batch", 10, 20.0, 2, 4.0, "/runs/one")


def settled(units=1, failures=()):
    return Settled(units, 2.0 * units, 5, 1000, tuple(failures), 0.1)


@given(st.text())
def test_what_is_printed_moves_no_cursor(text):
    shown = printable(text)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\rb", r"a\rb"), ("a\x00", r"a\x00"), ("a\u202eb", r"a\u202eb"),
     ("a\x9bb", r"a\x9bb"), ("é 中", "é 中"), ("a\tb", r"a\tb")],
)  # fmt: skip
def test_control_characters_are_spelled_out(text, shown):
    assert printable(text) == shown


def lines_of(*events):
    stream = io.StringIO()
    show = PlainLines(stream)
    for event in events:
        show(event)
    return stream.getvalue().splitlines()


def test_plain_lines():
    lines = lines_of(BEGUN, *[settled()] * 8, Folding(), Ended(8, 2, 0, 0))
    assert lines[0] == "codons-count: 10 batches, 2 done before; /runs/one"
    assert lines[1].startswith("batch 3/10  5 items (")
    assert "ETA" in lines[1]
    assert lines[-1].startswith("batch 10/10  40 items (")
    assert "took" in lines[-1]
    assert len(lines) < 6, "at most one a second"


def test_failures_are_said_at_once():
    bad = Failure("u1", "count", "input", "no-rows", "a.parquet: 0 rows")
    lines = lines_of(BEGUN, settled(4, [bad] * 9), settled(4))
    assert lines[1:4] == ["quarantined u1: count: no-rows: a.parquet: 0 rows"] * 3
    assert "failures 9" in lines[-1]


@pytest.mark.parametrize("evil", ["a\x1b[2J", "a\rb", "a\nbatch 10/10  all is well", "a\x0bb"])
def test_no_name_forges_a_line(evil):
    bad = Failure("u1", "count", "input", evil, evil, item=evil)
    lines = lines_of(BEGUN, settled(1, [bad]))
    assert len(lines) == 3
    assert lines[1].startswith("quarantined u1")
    assert "\x1b" not in "".join(lines)


def test_the_meter_counts_by_cost_and_not_by_what_was_done_before():
    now = [0.0]
    meter = Meter(clock=lambda: now[0])
    meter(BEGUN)
    assert (meter.done, meter.eta) == (2, None)
    now[0] = 8.0
    meter(settled(4))
    assert meter.done == 6
    assert meter.eta == pytest.approx(8.0), "8 of 16 took 8 seconds"
    meter(settled(4))
    assert meter.eta == 0.0
    assert (meter.items, meter.nbytes, meter.failures) == (10, 2000, 0)


def test_a_meter_begins_anew():
    meter = Meter()
    for _ in range(2):
        meter(BEGUN)
        meter(settled(8, [Failure("u", "s", "tool", "r")]))
        assert (meter.done, meter.items, meter.failures) == (10, 5, 1)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_or_lines(terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    with progress(stream) as show:
        for event in (
            BEGUN,
            settled(4, [Failure("u\x1b[2J", "s", "tool", "r")]),
            settled(4),
            Folding(),
            Ended(8, 2, 0, 0),
        ):
            show(event)
    said = stream.getvalue()
    assert r"u\x1b[2J" in said
    assert "u\x1b[2J" not in said
    assert ("codons-count: 10" in said) == (not terminal)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (1e6, "277:46:40")]
)
def test_durations(seconds, text):
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("noun", "many"), [("batch", "batches"), ("chunk", "chunks"), ("box", "boxes")]
)
def test_plurals(noun, many):
    assert plural(noun) == many
