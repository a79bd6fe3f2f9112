"""Events on a terminal: a bar where somebody looks, plain lines where nobody does."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from polytene.core.events import Begun, Ended, Event, Folding, OnEvent, Settled, Visible
from polytene.watch.rates import Meter, counted

QUIET_SECONDS = 1.0
FAR = {"SSH_CONNECTION", "SLURM_JOB_ID"}


@contextmanager
def progress(stream: TextIO | None = None) -> Iterator[OnEvent]:
    """Give a function that shows events on ``stream``, standard error by default."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _bar(stream) as on_event:
            yield on_event
    else:
        yield PlainLines(stream)


class PlainLines:
    """One line an event, at most one a second, and always the last."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.meter = Meter()
        self._said = -QUIET_SECONDS

    def __call__(self, event: Event) -> None:
        """Show an event."""
        meter = self.meter
        meter(event)
        if isinstance(event, Begun):
            again = f", {event.resumed:,} done before" if event.resumed else ""
            self._say(f"{event.kind}: {counted(event.units, event.noun)}{again}; {event.directory}")
        elif isinstance(event, Visible):
            self._say(where_to_look(event.page))
        elif isinstance(event, Settled):
            for failure in event.failures[:3]:
                self._say(f"quarantined {failure}")
            last = meter.done == meter.units
            if last or time.monotonic() - self._said >= QUIET_SECONDS:
                self._said = time.monotonic()
                self._say(f"{meter.noun} {meter.done:,}/{meter.units:,}  {meter.words()}")

    def _say(self, line: str) -> None:
        print(printable(line), file=self.stream, flush=True)


def where_to_look(page: str) -> str:
    """Return the address of a page and, in a session on another machine, how to get to it."""
    said = f"live page: {page}"
    found = urlsplit(page)
    if not FAR & os.environ.keys() or not found.port:
        return said
    there = f"{found.hostname}:{found.port}"
    login = f"{getpass.getuser()}@{socket.getfqdn()}"
    return f"{said}; from your own machine: ssh -L {found.port}:{there} {login}"


def printable(text: str, keep: str = "") -> str:
    r"""Return ``text`` with control characters spelled out, so that no id can move the cursor.

    ``keep`` is a character that stays as it is, such as a newline of our own text.

    Examples
    --------
    >>> printable("chr1" + chr(27) + "[2J")
    'chr1\\x1b[2J'
    """
    return "".join(
        c if c.isprintable() or c == keep else c.encode("unicode_escape").decode() for c in text
    )


class _Words(ProgressColumn):
    """Rate, ETA and failures, from the meter."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter

    def render(self, task: Task) -> Text:
        """Return the text of the moment."""
        return Text(self.meter.words() if self.meter.units else "")


@contextmanager
def _bar(stream: TextIO) -> Iterator[OnEvent]:
    console, meter = Console(file=stream), Meter()
    columns = [
        TextColumn("{task.description}"),
        BarColumn(None),
        TextColumn("{task.fields[count]}"),
    ]
    with Progress(*columns, _Words(meter), console=console, refresh_per_second=4) as bar:
        line = bar.add_task("looking", total=None, count="")

        def show(event: Event) -> None:
            meter(event)
            count = f"{meter.noun} {meter.done:,}/{meter.units:,}"
            if isinstance(event, Begun):
                bar.update(line, description=event.kind, total=event.cost or 1, count=count)
                bar.update(line, completed=event.resumed_cost)
            elif isinstance(event, Settled):
                for failure in event.failures[:3]:
                    bar.console.print(Text(printable(f"quarantined {failure}"), style="yellow"))
                bar.update(line, completed=meter.cost_done, count=count)
            elif isinstance(event, Visible):
                bar.console.print(Text(where_to_look(event.page)))
            elif isinstance(event, Folding):
                bar.update(line, description="combining")
            elif isinstance(event, Ended):
                bar.update(line, description="done", completed=meter.cost or 1, count=count)

        yield show
