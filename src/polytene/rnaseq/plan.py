"""Which runs are quantified, from where, and what that will take."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.core.files import write_bytes
from polytene.core.plan import Plan
from polytene.exceptions import PreflightError, UsageError
from polytene.formats.remote import Patience
from polytene.rnaseq import ena, sra
from polytene.rnaseq.disk import bytes_of, check_disk, scratch_of
from polytene.rnaseq.index import Index, as_params, read_index
from polytene.rnaseq.quantifier import find_quantifier
from polytene.rnaseq.reads import find_local
from polytene.rnaseq.samples import read_samples
from polytene.rnaseq.schedule import Rates, describe_schedule
from polytene.rnaseq.settings import Mode, Settings
from polytene.rnaseq.sources import SOURCES
from polytene.rnaseq.units import Sample, kind_of

logger = logging.getLogger(__name__)

SAMPLES = "samples.parquet"
ORDERS = ("longest-first", "shortest-first", "given")


class SamplePlan(Plan[Sample]):
    """A plan of runs that knows how the work will be done.

    Parameters
    ----------
    units, params
        As for :class:`polytene.Plan`.
    settings
        Sources, limits, mode.
    rates
        What :meth:`describe` reckons with.
    """

    def __init__(
        self, units: Sequence[Sample], params: dict[str, Any], settings: Settings, rates: Rates
    ) -> None:
        final = {"reads": kind_of(settings).__name__}  # what runs hold; nothing depends on it
        super().__init__("rnaseq-quant", units, params, final=final, noun="run")
        self.settings, self.rates = settings, rates

    def _with(self, units: list[Sample]) -> SamplePlan:
        return SamplePlan(units, self.params, self.settings, self.rates)

    def describe(self) -> str:
        """Return bytes, predicted time against its lower bound, and peak disk, before any work."""
        return describe_schedule(list(self), self.settings, self.rates)


def plan(
    samples: str | Path | Iterable[str] | pa.Table,
    *,
    index: str | os.PathLike[str],
    out: str | Path = "work",
    mode: Mode = "auto",
    sources: Sequence[str] | None = None,
    local_dir: str | Path | None = None,
    downloads: int = 5,
    quants: int = 2,
    source_caps: dict[str, int] | None = None,
    threads: int = 1,
    disk_limit: str | float | None = None,
    order: str = "longest-first",
    fragment_length: float = 200.0,
    fragment_sd: float = 20.0,
    quantifier: str = "kallisto",
    program: str | None = None,
    patience: Patience | None = None,
    quant_timeout: float | None = None,
    keep_fastq: bool = False,
    ena_url: str = ena.BASE,
    sdl_url: str | None = None,
    scratch: str | Path | None = None,
    rates: Rates | None = None,
) -> SamplePlan:
    """Plan the quantification of runs: look up what is not known, and reckon what it takes.

    Parameters
    ----------
    samples
        A list that :func:`read_samples` reads, or what it returned.
    index
        The index, made by :func:`index` or by the program itself.
    out
        Folder of the work; the results are at ``out/quant/RUN/abundance.tsv``.
    mode
        ``"stream"``: reads go from the server into the quantifier, none to disk. ``"staged"``:
        files first. ``"auto"``: stream what has sizes and checksums, stage the rest.
    sources
        Where reads are looked for, in order: ``"local"``, ``"ena"``, ``"sra"``. None: the local
        folder if one is given, else the ENA.
    local_dir
        Folder of ``RUN_1.fastq.gz``, ``RUN.sra`` and the like.
    downloads, quants
        How many run at once, over the whole cluster.
    source_caps
        Connections at once per source, such as ``{"sra": 3}``.
    threads
        Threads of one quantification.
    disk_limit
        Bytes of reads on disk at once, such as ``"25GB"``: reserved before a download begins.
    order
        ``"longest-first"``, ``"shortest-first"`` or ``"given"``.
    fragment_length, fragment_sd
        Of single-end libraries for which the list says nothing, in bases.
    quantifier, program
        ``"kallisto"`` or ``"salmon"``, and where it is if not on PATH.
    patience
        How long to wait for servers.
    quant_timeout
        Seconds that one quantification may take.
    keep_fastq
        Leave the reads on disk.
    ena_url, sdl_url
        Other addresses of the archives.
    scratch
        Folder of the reads on disk, shared by all workers; ``"host"``: the own disk of whichever
        host a run is worked on, where the disk limit is one of each host; None: ``out/fastq``.
    rates
        Bytes per second to reckon with.

    Raises
    ------
    UsageError
        If an argument is wrong, or a run needs more disk than there may be.
    PreflightError
        If a program is missing, or the ENA does not answer and no other source is asked.

    Examples
    --------
    >>> import tempfile
    >>> from polytene import rnaseq
    >>> from polytene.testing import write_reads, write_transcripts
    >>> folder = Path(tempfile.mkdtemp())
    >>> fasta = write_transcripts(folder / "t.fa", 5)
    >>> index = rnaseq.index(fasta, folder / "t.idx")
    >>> runs = write_reads(folder / "reads", fasta, runs=2)
    >>> made = plan(runs, index=index, out=folder / "work", local_dir=folder / "reads")
    >>> len(made), made.settings.sources
    (2, ('local',))
    """
    if order not in ORDERS:
        raise UsageError(f"order is {order!r}: one of {', '.join(ORDERS)}")
    if mode not in ("stream", "staged", "auto"):
        raise UsageError(f"mode is {mode!r}: 'stream', 'staged' or 'auto'")
    for name, value in (("downloads", downloads), ("quants", quants), ("threads", threads)):
        if value < 1:
            raise UsageError(f"{name} is {value}: at least 1")
    tool = find_quantifier(quantifier, program)
    about = read_index(index, tool)
    settings = Settings(
        out=str(Path(out).absolute()),
        index=about.path,
        index_bytes=about.nbytes,
        quantifier=tool.name,
        program=tool.path,
        sources=_sources(sources, local_dir),
        mode=mode,
        threads=threads,
        downloads=downloads,
        quants=quants,
        source_caps=source_caps or {},
        disk_limit=bytes_of(disk_limit),
        patience=patience or Patience(),
        quant_timeout=quant_timeout,
        keep_fastq=keep_fastq,
        ena_url=ena_url,
        sdl_url=sdl_url,
        scratch=scratch_of(scratch, keep_fastq),
    )
    table = samples if isinstance(samples, pa.Table) else read_samples(samples)
    table = _known(table, settings)
    fragments = (fragment_length, fragment_sd)
    made = functools.partial(_unit, kind_of(settings), order, fragments, local_dir)
    units = [made(row) for row in table.to_pylist()]
    check_disk(units, settings)
    return SamplePlan(units, _params(about), settings, rates or Rates())


def _params(about: Index) -> dict[str, Any]:
    return {"index": as_params(about)}


def _sources(given: Sequence[str] | None, local_dir: str | Path | None) -> tuple[str, ...]:
    if given is None:
        return ("local",) if local_dir else ("ena",)
    if not given or set(given) - set(SOURCES) or len(set(given)) != len(given):
        raise UsageError(f"sources are {', '.join(given) or 'none'}: of {', '.join(SOURCES)}")
    if "local" in given and local_dir is None:
        raise UsageError("the source 'local' needs a folder: local_dir (--local-dir)")
    if "sra" in given:
        sra.check_programs()
    return tuple(given)


def _known(table: pa.Table, settings: Settings) -> pa.Table:
    """Complete a list: from what an earlier plan has looked up, else from the ENA."""
    path = settings.folder / SAMPLES
    if path.exists():
        table = _completed(table, pq.read_table(path))
    if "ena" in settings.sources or ("sra" in settings.sources and settings.disk_limit):
        table, problems = ena.resolve(table, settings.ena_url, replace(settings.patience, tries=3))
        if problems and settings.sources == ("ena",):
            raise PreflightError(
                f"the ENA at {settings.ena_url} does not answer for {len(problems)} runs; the "
                f"first: {problems[0]}. Give the command again later, or --source ena,sra"
            )
        for problem in problems:
            logger.warning("%s", problem)
    settings.folder.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_bytes(path, sink.getvalue().to_pybytes())
    return table


def _completed(table: pa.Table, known: pa.Table) -> pa.Table:
    """Fill what a list does not say with what was looked up before: addresses stay the same."""
    before = {row["run"]: row for row in known.to_pylist()}
    rows = table.to_pylist()
    for row in rows:
        for name, value in before.get(row["run"], {}).items():
            if name in row and not row[name]:
                row[name] = value
    return pa.Table.from_pylist(rows, schema=table.schema)


def _unit(
    kind: type[Sample],
    order: str,
    fragments: tuple[float, float],
    local_dir: str | Path | None,
    row: dict[str, Any],
) -> Sample:
    local = find_local(row["run"], Path(local_dir).absolute()) if local_dir else []
    marks = tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in local)
    n = len(row["urls"])
    sizes, sums = row["bytes"] or [None] * n, row["md5"] or [None] * n
    remote = tuple(zip(row["urls"], sizes, sums, strict=True))
    nbytes = sum(b or 0 for b in sizes) or row["sra_bytes"] or sum(b for _, b, _ in marks) or 1
    cost = {"longest-first": float(nbytes), "shortest-first": 1.0 / nbytes, "given": 1.0}[order]
    return kind(
        row["run"],
        layout=row["layout"] or "",
        spots=row["spots"],
        remote=remote,
        local=marks,
        sra_bytes=row["sra_bytes"],
        fragment_length=_length(row["fragment_length"], fragments[0]),
        fragment_sd=row["fragment_sd"] or _sd(row["fragment_length"], fragments),
        cost=cost,
    )


def _length(known: float | None, default: float) -> float:
    """Return the length of fragments; archives write lengths below 50 for unknown ones."""
    return known if known and known >= 50 else default


def _sd(known: float | None, fragments: tuple[float, float]) -> float:
    return known / 10 if known and known >= 50 else fragments[1]
