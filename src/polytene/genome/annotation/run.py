"""The verbs of annotation: over a region or a chunk at once, over a plan durably on Dask."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.scratch import Folder, Home, scratch_at
from polytene.exceptions import Rejected, UsageError
from polytene.genome.annotation.confidence import THRESHOLD, WINDOW
from polytene.genome.annotation.inputs import Inputs, sequence_order
from polytene.genome.annotation.result import Annotation
from polytene.genome.annotation.select import GenesUnit, Owned, Where, units_of
from polytene.genome.annotation.work import VERBS, judge, stage_of

DEFAULTS: dict[str, dict[str, Any]] = {
    "confidence": {"threshold": THRESHOLD, "window": WINDOW, "compat": False},
    "evidence": {
        "min_reads": 3,
        "min_coverage": 5,
        "boundary_tolerance": 10,
        "min_tissues": 1,
        "coverage": True,
    },
}
DEFAULTS["refine"] = DEFAULTS["evidence"] | {
    "max_shift": 15,
    "boundary_window": 30,
    "adjust_boundaries": True,
    "threshold": THRESHOLD,
    "window": WINDOW,
}


def parameters_of(verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a verb; raise UsageError for one that it does not have."""
    if verb not in VERBS:
        raise UsageError(f"verb is {verb!r}: one of {', '.join(VERBS)}")
    known = DEFAULTS[verb]
    if strange := sorted(given.keys() - known.keys()):
        raise UsageError(f"{verb} has no parameter {strange[0]!r}: {', '.join(known)}")
    found = known | dict(given)
    for name in ("min_reads", "min_tissues", "window"):
        if found.get(name, 1) < 1:
            raise UsageError(f"{name} is {found[name]}: at least 1")
    return found


def annotate(
    verb: str, where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any
) -> tuple[Annotation, list[Rejected]]:
    """Apply a verb in this process; return what it made and the genes that it could not judge."""
    _check_inputs(verb, inputs)
    values = parameters_of(verb, given)
    home = tempfile.TemporaryDirectory(prefix="polytene-")
    folders, lost = [], []
    with scratch_at(Home(Path(home.name))):
        for unit in units_of(where, inputs, owned):
            found = judge(unit, verb=verb, inputs=inputs, given=values)
            assert isinstance(found.value, Folder)
            folders.append(Path(found.value.path))
            lost += list(found.rejected)
    order = sequence_order(inputs)
    compat = bool(values.get("compat"))
    return Annotation(verb, folders, order, compat=compat, keep=home), lost


def confidence(where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any) -> pa.Table:
    """Score genes by how sure Helixer was of them.

    Parameters
    ----------
    where
        A chunk, a region or its text (``"chr1:1-5000"``, ``"chr1"``), several of them, a chunk
        plan, or None for all genes.
    inputs
        Made by :func:`annotation_inputs` with ``genome`` and ``predictions``.
    owned
        ``"start"``: genes whose first base lies there; ``"overlap"``, ``"contained"``.
    **given
        ``threshold`` (0.7), ``window`` (20 bp), ``compat`` (as HelixForge scores and counts).

    Returns
    -------
    pyarrow.Table
        One row per gene; ``start`` and ``end`` 1-based and inclusive (``compat``: 0-based,
        half-open). Scores that cannot be measured are null.

    Raises
    ------
    UsageError
        If an argument is wrong.
    BadInput
        If a file is.

    Examples
    --------
    >>> from polytene import genome
    >>> from polytene.testing.annotation import write_annotation
    >>> made = write_annotation()
    >>> inputs = genome.annotation_inputs(
    ...     made.gff3, genome=made.fasta, predictions=made.predictions
    ... )
    >>> genome.confidence("chr1", inputs).column_names[:4]
    ['gene_id', 'seqid', 'start', 'end']
    """
    return annotate("confidence", where, inputs, owned=owned, **given)[0].table


def evidence(where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any) -> pa.Table:
    """Judge transcripts by RNA-seq.

    Parameters
    ----------
    where, owned
        As for :func:`confidence`.
    inputs
        Made by :func:`annotation_inputs` with ``bams`` or ``junctions``.
    **given
        ``min_reads`` (3), ``min_coverage`` (5), ``boundary_tolerance`` (10 bp), ``min_tissues``
        (1), ``coverage`` (True).

    Returns
    -------
    pyarrow.Table
        One row per transcript. AED is 0 for full support and 1 for none; null where nothing can
        be said.
    """
    return annotate("evidence", where, inputs, owned=owned, **given)[0].table


def refine(where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any) -> pa.Table:
    """Mend splice sites, starts and stops of transcripts; return what was changed and why.

    Parameters
    ----------
    where, owned
        As for :func:`confidence`.
    inputs
        Made by :func:`annotation_inputs` with ``genome``, and ``bams`` or ``junctions``;
        ``predictions`` for the confidence of the result.
    **given
        Those of :func:`evidence`, ``max_shift`` (15 bp), ``boundary_window`` (30 bp),
        ``adjust_boundaries`` (True), ``threshold`` and ``window`` of :func:`confidence`.

    Returns
    -------
    pyarrow.Table
        One row per transcript.
    """
    return annotate("refine", where, inputs, owned=owned, **given)[0].table


def features(
    verb: str, where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any
) -> Iterator[bytes]:
    """Yield the lines of GFF3 that ``"evidence"`` or ``"refine"`` makes of genes."""
    if verb not in ("evidence", "refine"):
        raise UsageError(f"verb is {verb!r}: 'evidence' or 'refine'")
    return annotate(verb, where, inputs, owned=owned, **given)[0].features()


def annotation_plan(
    verb: str, where: Where, inputs: Inputs, *, owned: Owned = "start", **given: Any
) -> Plan[GenesUnit]:
    """Plan a run of a verb over the chunks of a genome."""
    _check_inputs(verb, inputs)
    values = parameters_of(verb, given)
    units = units_of(where, inputs, owned)
    params = {"inputs": inputs, "given": values, "owned": owned}
    return Plan(f"genome-{verb}", units, params, noun="chunk")


def annotation_run(plan: Plan[GenesUnit], *, run_dir: str | Path, **engine: Any) -> Outcome:
    """Run a plan made by :func:`annotation_plan`; the same call again resumes.

    Returns
    -------
    Outcome
        ``.result`` is an :class:`Annotation`, whose files lie in the run directory.
    """
    verb = plan.kind.removeprefix("genome-")
    stage = stage_of(verb, plan.params["inputs"], plan.params["given"])
    return run(plan, [stage], Reduction(None, _gather), run_dir=run_dir, **engine)


def _gather(values: Iterable[tuple[Any, Folder]], plan: Any, failures: Any) -> Annotation:
    verb, given = plan.kind.removeprefix("genome-"), plan.params["given"]
    folders = [Path(value.path) for _, value in values]
    order = sequence_order(plan.params["inputs"])
    return Annotation(verb, folders, order, compat=bool(given.get("compat")))


def _check_inputs(verb: str, inputs: Inputs) -> None:
    needed = {"confidence": ["predictions"], "refine": ["genome"]}.get(verb, [])
    if lost := [name for name in needed if name not in inputs]:
        raise UsageError(f"{verb} needs {lost[0]}: give it to annotation_inputs")
    if verb != "confidence" and not ("bams" in inputs or "junctions" in inputs):
        raise UsageError(f"{verb} needs RNA-seq: bams or junctions")
