"""The lines of a task file: the command of a chunk, its log and its mark."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.formats.text import printable
from polytene.genome.chunks import GenomicChunk
from polytene.genome.tasks.templates import format_command

BEDS = ".regions"


@dataclass(frozen=True)
class Lines:
    """Makes the line of a chunk.

    Parameters
    ----------
    template
        The command.
    plan, output_dir, extra_vars
        As for :func:`polytene.genome.format_command`.
    beds, logs, marks
        Folders of BED files, of what tasks print, and of the marks of those that end well; None:
        there are none.
    """

    template: str
    plan: Path | None
    output_dir: Path | None
    extra_vars: Mapping[str, object] | None
    beds: Path | None
    logs: Path | None
    marks: Path | None

    def make_folders(self) -> None:
        """Make the folders that the lines write to."""
        for folder in (self.beds, self.logs, self.marks):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)

    def line(self, chunk: GenomicChunk) -> str:
        """Return the line of a chunk; its BED file is written."""
        bed = None if self.beds is None else write_bed(chunk, self.beds)
        command = format_command(
            self.template, chunk, self.plan, self.output_dir, self.extra_vars, bed=bed
        ).strip()
        if self.logs is None and self.marks is None:
            return command
        text = f"bash -o pipefail -c {shlex.quote(command)}"
        if self.logs is not None:
            text += f" > {shlex.quote(str(self.logs / f'{chunk.chunk_id}.log'))} 2>&1"
        if self.marks is not None:
            mark = shlex.quote(str(self.marks / chunk.chunk_id))
            text = f"rm -f {mark}; {text} && touch {mark}"
        return text


def write_bed(chunk: GenomicChunk, folder: Path) -> Path:
    """Write the intervals of a chunk as BED.

    Raises
    ------
    UsageError
        If the name of a sequence cannot stand in a BED file.
    """
    path = folder / f"{chunk.chunk_id}.bed"
    for seqid, _, _ in chunk.intervals:
        if not seqid.isprintable():
            raise UsageError(f"sequence {printable(seqid)!r} cannot stand in a BED file: rename it")
    lines = (f"{seqid}\t{start}\t{end}\n" for seqid, start, end in chunk.intervals)
    write_bytes(path, "".join(lines).encode(errors="surrogateescape"), sync=False)
    return path
