"""One run through the quantifier, from files or from streams, to a proven result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from polytene.core.tools import ToolFailed, run_tool
from polytene.exceptions import BadInput
from polytene.formats.remote import Remote
from polytene.rnaseq.proof import (
    draft_of,
    identity_of,
    prove,
    publish,
    read_done,
    zero_pseudoaligned,
)
from polytene.rnaseq.quantifier import Fragments, Quantifier, find_quantifier
from polytene.rnaseq.reads import count_reads
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.stream import Streams
from polytene.rnaseq.units import Sample

RECORD = (
    "n_targets",
    "n_processed",
    "n_pseudoaligned",
    "p_pseudoaligned",
    "n_expressed",
    "index_version",
    "targets",
    "sha256",
)
"""What of ``done.json`` is a function of reads and index alone."""


def found_done(sample: Sample, settings: Settings, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of a result that is there already, made of the same, and whole."""
    identity = identity_of(sample.about(), params)
    record = read_done(settings.result_of(sample.key), identity)
    return None if record is None else {k: record[k] for k in RECORD}


def quantify_files(
    sample: Sample,
    settings: Settings,
    params: dict[str, Any],
    files: Sequence[str],
    reads: int | None,
    made_of: dict[str, Any],
) -> dict[str, Any]:
    """Quantify reads on disk; return the record of the result, which is at its place then."""

    def run(tool: Quantifier, draft: Path) -> int | None:
        _run(tool, sample, settings, draft, files)
        seen = tool.finish(draft).n_processed
        return (
            reads if reads in (None, seen) else _agreed(sample, reads, count_reads(Path(files[0])))
        )

    return _to_place(sample, settings, params, run, made_of, len(files))


def quantify_streams(
    sample: Sample,
    settings: Settings,
    params: dict[str, Any],
    remotes: Sequence[Remote],
    reads: int | None,
    made_of: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Quantify reads while they come; return the record, and what the download took."""
    traffic: dict[str, Any] = {}

    def run(tool: Quantifier, draft: Path) -> int | None:
        with Streams(remotes, settings.patience) as streams:
            try:
                _run(tool, sample, settings, draft, streams.paths)
            except (ToolFailed, BadInput):
                streams.check()
                raise
            streams.check()
            if not streams.whole:
                raise ToolFailed(f"{tool.name} did not read {sample.key} to its end")
            traffic["bytes"] = sum(feed.download.got for feed in streams.feeds)
            traffic["resumes"] = sum(feed.download.resumes for feed in streams.feeds)
            made_of["md5"] = [feed.download.md5 for feed in streams.feeds]
            return _agreed(sample, reads, streams.reads)

    return _to_place(sample, settings, params, run, made_of, len(remotes)), traffic


def _agreed(sample: Sample, announced: int | None, there: int) -> int:
    """Return the reads that whole files hold; another number in the archive's records is final."""
    if announced not in (None, there):
        raise BadInput(
            "other-read-count",
            f"{sample.key}: {there:,} reads in files that are whole, the archive counts "
            f"{announced:,}: which of them is right can only be asked there",
        )
    return there


def _run(
    tool: Quantifier, sample: Sample, settings: Settings, draft: Path, files: Sequence[str]
) -> None:
    single = Fragments(sample.fragment_length, sample.fragment_sd) if len(files) == 1 else None
    command = tool.command(settings.index, draft, files, settings.threads, single)
    log = settings.log_of(sample.key, "quant")
    try:
        run_tool(command, log=log, timeout=settings.quant_timeout)
    except ToolFailed:
        reads = _unplaced(tool, draft)
        if reads:
            raise zero_pseudoaligned(reads) from None
        raise


def _unplaced(tool: Quantifier, draft: Path) -> int:
    """Return how many reads were seen, if none of them could be placed."""
    with suppress(BadInput):
        said = tool.finish(draft)
        return 0 if said.n_pseudoaligned else said.n_processed
    return 0


def _to_place(
    sample: Sample,
    settings: Settings,
    params: dict[str, Any],
    run: Any,
    made_of: dict[str, Any],
    ends: int,
) -> dict[str, Any]:
    tool = find_quantifier(settings.quantifier, settings.program)
    final = settings.result_of(sample.key)
    with draft_of(settings.folder, sample.key) as draft:
        reads = run(tool, draft)
        proven = prove(draft, tool.finish(draft), reads)
        about = {
            "run": sample.key,
            "identity": identity_of(sample.about(), params),
            "layout_declared": sample.layout or None,
            "layout_used": "PAIRED" if ends == 2 else "SINGLE",
            "reads_expected": reads,
            "quantifier": tool.name,
            "index_sha256": params["index"]["sha256"],
            "made_of": made_of,
        }
        publish(draft, final, {**about, **proven})
        return {k: proven[k] for k in RECORD}
