"""Options of the commands that plan runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polytene.formats.remote import Patience
from polytene.rnaseq.ena import BASE
from polytene.rnaseq.plan import ORDERS

NUMBER = click.IntRange(1)
SECONDS = click.FloatRange(min=0, min_open=True)

_OPTIONS = (
    click.option("--index", required=True, type=click.Path(), help="The index of the transcripts."),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("work"),
        show_default=True,
        help="Folder of the work, and its run directory.",
    ),
    click.option(
        "--mode",
        type=click.Choice(["stream", "staged", "auto"]),
        default="auto",
        show_default=True,
        help="stream: no read on disk; staged: files first; auto: stream what can be checked.",
    ),
    click.option(
        "--source",
        metavar="NAMES",
        help="Where reads are looked for, in order: of local, ena, sra.  "
        "[default: local if --local-dir is given, else ena]",
    ),
    click.option("--local-dir", type=click.Path(path_type=Path), help="Folder of local files."),
    click.option(
        "--downloads", type=NUMBER, default=5, show_default=True, help="Downloads at once."
    ),
    click.option(
        "--quants", type=NUMBER, default=2, show_default=True, help="Quantifications at once."
    ),
    click.option("--ena-downloads", type=NUMBER, help="At most so many of them from the ENA."),
    click.option("--sra-downloads", type=NUMBER, help="At most so many of them from the SRA."),
    click.option(
        "--threads",
        type=NUMBER,
        default=1,
        show_default=True,
        help="Threads of one quantification.",
    ),
    click.option(
        "--disk-limit", metavar="SIZE", help='Bytes of reads on disk at once, such as "25GB".'
    ),
    click.option(
        "--order",
        type=click.Choice(list(ORDERS)),
        default=ORDERS[0],
        show_default=True,
        help="Which runs begin first.",
    ),
    click.option(
        "--fragment-length",
        type=SECONDS,
        default=200.0,
        show_default=True,
        help="Of single-end libraries, where the list says nothing.",
    ),
    click.option(
        "--fragment-sd", type=SECONDS, default=20.0, show_default=True, help="Its deviation."
    ),
    click.option(
        "--quantifier",
        type=click.Choice(["kallisto", "salmon"]),
        default="kallisto",
        show_default=True,
        help="The program that counts.",
    ),
    click.option("--program", metavar="PATH", help="Where that program is, if not on PATH."),
    click.option("--keep-fastq", is_flag=True, help="Leave the reads on disk."),
    click.option(
        "--scratch",
        metavar="FOLDER",
        help="Folder of the reads on disk, shared by all workers; host: the own disk of each "
        "host.  [default: fastq in --out]",
    ),
    click.option(
        "--tries", type=NUMBER, default=5, show_default=True, help="Tries without a new byte."
    ),
    click.option(
        "--idle-timeout",
        type=SECONDS,
        default=60.0,
        show_default=True,
        help="Seconds without a byte before a connection is closed.",
    ),
    click.option("--download-timeout", type=SECONDS, help="Seconds that one download may take."),
    click.option("--quant-timeout", type=SECONDS, help="Seconds that one quantification may take."),
    click.option("--ena-url", default=BASE, show_default=True, help="Address of the ENA."),
    click.option("--sdl-url", help="Address of the SRA's name resolver, if not the NCBI's."),
)


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a plan."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def patience_of(chosen: dict[str, Any]) -> Patience:
    """Take the options of waiting out of ``chosen``, and return what they mean."""
    tries, idle = chosen.pop("tries"), chosen.pop("idle_timeout")
    return Patience(tries=tries, idle=idle, total=chosen.pop("download_timeout"))
