"""The composition of a genome: GC, N, soft-masked bases, CpG and k-mers, as a labelled dataset."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.stage import Stage
from polytene.exceptions import UsageError
from polytene.genome.chunks import ChunkPlan
from polytene.genome.composition.stage import MERGE_BYTES, PIECE, compose, merge
from polytene.genome.genome import Genome
from polytene.genome.planning.plan import plan_chunks
from polytene.genome.reader import Reader
from polytene.genome.units import ChunkUnit, unit_plan

if TYPE_CHECKING:
    import xarray as xr

By = Literal["window", "sequence", "chunk"]
WINDOW = 100_000
LONGEST_KMER = 12
MOST_CELLS = 1 << 27
LETTERS = ("a", "c", "g", "t", "n", "other", "masked")
MEMORY = 4 * PIECE + 4 * MERGE_BYTES + (100 << 20)


def composition_plan(
    plan: ChunkPlan | Genome | str | Path,
    *,
    by: By = "window",
    window: int = WINDOW,
    k: int = 0,
    cpg: bool = True,
    reader: Reader = "memmap",
) -> Plan[ChunkUnit]:
    """Plan a composition; parameters are those of :func:`composition`."""
    if by not in ("window", "sequence", "chunk"):
        raise UsageError(f"by is {by!r}: 'window', 'sequence' or 'chunk'")
    if window < 1:
        raise UsageError(f"window is {window}: at least 1 base")
    if not 0 <= k <= LONGEST_KMER:
        raise UsageError(f"k is {k}: 1 to {LONGEST_KMER}, or 0 for no k-mers")
    if reader not in ("memmap", "pread"):
        raise UsageError(f"reader is {reader!r}: 'memmap' or 'pread'")
    if not isinstance(plan, ChunkPlan):
        plan = plan_chunks(plan, cost="bp")
    if plan.genome is None or not plan.genome.path:
        raise UsageError("the plan knows no FASTA file: plan the chunks of a file")
    if any(not c.layouts for c in plan):
        raise UsageError("the plan does not say where its sequences lie in the file: plan it anew")
    rows = {"window": plan.total_bases // window + 1, "chunk": len(plan)}.get(by, 1)
    if k and rows * 4**k > MOST_CELLS:
        raise UsageError(
            f"{rows:,} {by}s with {4**k:,} k-mers each are too many: take longer windows, "
            "by='sequence', or a smaller k"
        )
    params = {"by": by, "window": window, "k": k, "cpg": cpg}
    units = unit_plan(plan, "genome-composition", params, with_genes=False)
    about = {"genome": plan.genome.fingerprint, "reader": reader}
    reaching = _reaching(plan, units, max(k - 1, 1))
    return Plan(units.kind, reaching, params, final=about, block=units.block, noun=units.noun)


def _reaching(plan: ChunkPlan, units: Plan[ChunkUnit], halo: int) -> list[ChunkUnit]:
    """Return units that see beyond their ends: what begins inside a chunk is counted there."""
    lengths: dict[str, int] = {}
    for chunk in plan:
        for seqid, _, end in chunk.intervals:
            lengths[seqid] = max(end, lengths.get(seqid, 0))
    return [
        replace(
            unit,
            reads=[[s, a, min(b + halo, lengths[s])] for s, a, b in unit.intervals],
            chunk_cost=0.0,
        )
        for unit in units
    ]


def composition(
    plan: ChunkPlan | Genome | str | Path,
    *,
    run_dir: str | Path,
    by: By = "window",
    window: int = WINDOW,
    k: int = 0,
    cpg: bool = True,
    reader: Reader = "memmap",
    **engine: Any,
) -> Outcome:
    """Count the bases of a genome.

    The counts do not depend on the chunks, and those by window and sequence have nothing of them.

    Parameters
    ----------
    plan
        Chunks of a genome, or the genome, which is then planned.
    run_dir
        Where the run keeps its plan, parts and ledger; the same call again resumes.
    by
        Rows of the result: windows, whole sequences, or chunks.
    window
        Bases of a window; the first of each sequence begins with its first base.
    k
        Also count the k-mers of this length, as they are read on the forward strand; 0: none.
    cpg
        Also count C before G.
    reader
        ``"memmap"``, or ``"pread"`` for network file systems.
    **engine
        As for :func:`polytene.run`: ``client``, ``max_quarantined``, ``on_change`` and so on.

    Returns
    -------
    Outcome
        ``.result`` is an :class:`xarray.Dataset` over ``row``: ``a, c, g, t, n, other, masked``
        and ``cpg`` (int64, in bases), ``gc`` (float64, a share of A, C, G and T), with the
        coordinates ``seqid``, ``start`` and ``end`` (0-based, half-open), and, with ``k``,
        ``kmers(row, kmer)``, int64.

    Raises
    ------
    UsageError
        If an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing.assembly import write_assembly
    >>> made = write_assembly()
    >>> outcome = composition(made.fasta, run_dir=tempfile.mkdtemp(), by="sequence")
    >>> int(outcome.result["n"].sum()), outcome.result["gc"].round(2).values.tolist()[:2]
    (1642, [0.4, 0.4])
    """
    chosen: dict[str, Any] = {"by": by, "window": window, "k": k, "cpg": cpg, "reader": reader}
    return composition_run(composition_plan(plan, **chosen), run_dir=run_dir, **engine)


def composition_run(plan: Plan[ChunkUnit], *, run_dir: str | Path, **engine: Any) -> Outcome:
    """Run a plan made by :func:`composition_plan`."""
    return run(plan, stages(plan), reduction(plan), run_dir=run_dir, **engine)


def stages(plan: Plan[ChunkUnit]) -> list[Stage]:
    """Return the stage of a composition."""
    given = {k: plan.params[k] for k in ("by", "window", "k", "cpg")}
    func = functools.partial(compose, **given, reader=plan.final["reader"])
    kmers = 8 * 4 ** plan.params["k"] * max(map(_rows(plan), plan)) if plan.params["k"] else 0
    return [Stage(func, memory=MEMORY + 4 * kmers)]


def _rows(plan: Plan[ChunkUnit]) -> Callable[[ChunkUnit], int]:
    """Return how many rows each chunk gives."""
    window = plan.params["window"] if plan.params["by"] == "window" else None

    def rows(unit: ChunkUnit) -> int:
        if plan.params["by"] == "chunk":
            return 1
        return sum(-(-b // window) - a // window if window else 1 for _, a, b in unit.intervals)

    return rows


def reduction(plan: Plan[ChunkUnit]) -> Reduction:
    """Return how the counts of the chunks become one dataset."""
    about = {**plan.params, "genome": plan.final["genome"]}
    return Reduction(merge, functools.partial(_finalize, about=about))


def _finalize(value: Any, plan: Any, failures: Any, about: dict[str, Any]) -> xr.Dataset:
    return to_dataset(value, list(plan), about)


def to_dataset(value: Any, units: list[ChunkUnit], about: dict[str, Any]) -> xr.Dataset:
    """Return folded counts as a dataset.

    Parameters
    ----------
    value
        What :func:`polytene.genome.composition.stage.merge` made; None if no chunk could be read.
    units
        The chunks.
    about
        Parameters of the composition.
    """
    import pandas as pd
    import xarray as xr

    if value is None:
        empty = np.zeros(0, np.int64)
        value = {"row": empty, "place": empty, "cpg": empty}
        value["letters"] = np.zeros((0, len(LETTERS)), np.int64)
        value["kmers"] = np.zeros((0, 4 ** about["k"] if about["k"] else 0), np.int64)
    coords = _coords(value, units, about)
    letters = value["letters"]
    data: dict[str, Any] = {
        name: ("row", letters[:, i], {"units": "bases"}) for i, name in enumerate(LETTERS)
    }
    known = letters[:, :4].sum(axis=1)
    with np.errstate(invalid="ignore"):
        gc = (letters[:, 1] + letters[:, 2]) / known
    data["gc"] = ("row", gc, {"units": "1", "long_name": "share of G and C in A, C, G and T"})
    if about["cpg"]:
        data["cpg"] = ("row", value["cpg"], {"units": "1", "long_name": "C before G"})
    if about["k"]:
        data["kmers"] = (("row", "kmer"), value["kmers"], {"units": "1"})
        names = ["".join(p) for p in itertools.product("ACGT", repeat=about["k"])]
        coords["kmer"] = pd.Index(names, dtype=object, name="kmer")
    attrs = {k: (int(v) if isinstance(v, bool) else v) for k, v in about.items()}
    if about["by"] != "window":
        del attrs["window"]
    return xr.Dataset(data, coords=coords, attrs={**attrs, "coordinates_are": "0-based, half-open"})


def _coords(value: Any, units: list[ChunkUnit], about: dict[str, Any]) -> dict[str, Any]:
    rows, places = value["row"].tolist(), value["place"].tolist()
    if about["by"] == "chunk":
        ids = [units[row].chunk_id for row in rows]
        sizes = [sum(b - a for _, a, b in units[row].intervals) for row in rows]
        return {"chunk_id": ("row", np.array(ids, object)), "size": ("row", np.array(sizes))}
    names, lengths = _sequences(units)
    seqids = np.array([names[row] for row in rows], object)
    ends = np.array([lengths[row] for row in rows], np.int64)
    starts = np.zeros_like(ends)
    if about["by"] == "window":
        starts = np.array(places, np.int64) * about["window"]
        ends = np.minimum(ends, starts + about["window"])
    return {"seqid": ("row", seqids), "start": ("row", starts), "end": ("row", ends)}


def _sequences(units: list[ChunkUnit]) -> tuple[dict[int, str], dict[int, int]]:
    """Return name and length of each sequence, by its first byte in the file."""
    names: dict[int, str] = {}
    lengths: dict[int, int] = {}
    for unit in units:
        for (seqid, _, end), (offset, _, _) in zip(unit.intervals, unit.layouts, strict=True):
            names[offset] = seqid
            lengths[offset] = max(end, lengths.get(offset, 0))
    return names, lengths
