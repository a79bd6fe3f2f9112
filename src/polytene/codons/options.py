"""Options that the commands which read a set share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from polytene.codons.plan import BATCH_BYTES, BATCH_ROWS

CODE = click.IntRange(1, 33)

_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        default=BATCH_ROWS,
        show_default=True,
        metavar="ROWS",
        help="A batch closes at so many rows or --batch-bytes, whichever comes first.",
    ),
    click.option(
        "--batch-bytes",
        default=BATCH_BYTES,
        show_default=True,
        metavar="SIZE",
        help="See --batch-size. Memory depends on neither: rows are read in slices.",
    ),
    click.option(
        "--sample",
        type=click.IntRange(1),
        metavar="N",
        help="Only the N sequences whose seq_id has the smallest hash: always the same.",
    ),
    click.option(
        "--softmask",
        type=click.Choice(["count", "skip"]),
        default="count",
        show_default=True,
        help="skip: a codon with a lower-case base counts as ambiguous.",
    ),
)


def batch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of which rows are read, and how."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
