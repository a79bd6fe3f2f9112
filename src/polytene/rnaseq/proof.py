"""When a run counts as done: proven whole, and written down with what it was made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.canonical import canonical, digest
from polytene.core.files import full_disk_named, sync_folder, sync_tree, write_bytes
from polytene.exceptions import BadInput, PolyteneError
from polytene.rnaseq.abundance import Counts, read_abundance, targets_digest

DONE = "done.json"
DRAFTS = "drafts"
KEPT = ("abundance.tsv", "run_info.json")


class NotWhole(PolyteneError):
    """A quantifier claims success, and its answer is not whole; trying again may help."""

    category = "infrastructure"


def prove(folder: Path, said: Counts, reads: int | None) -> dict[str, Any]:
    """Return what is to be written down of an answer that is whole.

    Parameters
    ----------
    folder
        Where ``abundance.tsv`` is.
    said
        What the quantifier says.
    reads
        Reads (pairs) that it had to see; None where nobody knows.

    Raises
    ------
    BadInput
        ``zero-pseudoaligned`` if no read fits the transcripts: a verdict on the sample.
    NotWhole
        If it saw fewer reads than there are, or wrote fewer rows than there are transcripts.
    """
    if reads is not None and said.n_processed != reads:
        raise NotWhole(f"{folder.name}: {said.n_processed:,} reads processed of {reads:,}")
    if not said.n_pseudoaligned:
        raise zero_pseudoaligned(said.n_processed)
    path = folder / "abundance.tsv"
    try:
        table = read_abundance(path)
    except BadInput as error:
        raise NotWhole(str(error)) from None
    if table.num_rows != said.n_targets:
        raise NotWhole(
            f"{path.name}: {table.num_rows:,} rows of {said.n_targets:,}: was the disk full?"
        )
    tpm = table.column("tpm").to_numpy()
    return {
        "n_targets": said.n_targets,
        "n_processed": said.n_processed,
        "n_pseudoaligned": said.n_pseudoaligned,
        "p_pseudoaligned": round(100 * said.n_pseudoaligned / said.n_processed, 4),
        "n_expressed": int(np.count_nonzero(tpm > 0)),
        "quantifier_version": said.version,
        "index_version": said.index_version,
        "targets": targets_digest(table),
        "sha256": _sha256(path),
    }


def zero_pseudoaligned(reads: int) -> BadInput:
    """Return the verdict on a sample of which no read fits."""
    return BadInput(
        "zero-pseudoaligned",
        f"none of {reads:,} reads fits a transcript: is it the right species, and RNA?",
    )


@contextmanager
def draft_of(work: Path, run: str) -> Iterator[Path]:
    """Give an empty folder for an answer; what killed tries of the same run left goes first."""
    own = work / DRAFTS / run
    shutil.rmtree(own, ignore_errors=True)
    draft = own / uuid.uuid4().hex[:12]
    draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(own, ignore_errors=True)


def publish(draft: Path, final: Path, record: dict[str, Any]) -> None:
    """Make an answer visible, whole: its folder is renamed into place with ``done.json`` in it."""
    for path in list(draft.iterdir()):
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with full_disk_named(final):
        write_bytes(draft / DONE, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
        sync_tree(draft)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            os.replace(final, draft.with_name(f"{draft.name}.old"))
        os.replace(draft, final)
    sync_folder(final.parent)


def read_done(folder: Path, identity: str | None = None) -> dict[str, Any] | None:
    """Return the record of an answer if it is whole, and of ``identity`` if that is given."""
    try:
        record = json.loads((folder / DONE).read_text(encoding="utf-8"))
        if identity is not None and record["identity"] != identity:
            return None
        return record if _sha256(folder / "abundance.tsv") == record["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def identity_of(sample: dict[str, Any], params: dict[str, Any]) -> str:
    """Return the name of what an answer is made of: reads, index, program, parameters."""
    return digest(canonical([sample, params]))


def _sha256(path: Path) -> str:
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
