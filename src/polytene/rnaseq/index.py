"""The index of a transcriptome: made once, whole or not at all, and known by its content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.core.tools import run_tool
from polytene.exceptions import UsageError
from polytene.rnaseq.quantifier import Quantifier, find_quantifier


@dataclass(frozen=True)
class Index:
    """An index and what it is.

    Parameters
    ----------
    path
        File (kallisto) or folder (salmon).
    sha256
        Of its content.
    nbytes
        Its size.
    quantifier, version
        Program that it is for, and its version now.
    """

    path: str
    sha256: str
    nbytes: int
    quantifier: str
    version: str

    def __fspath__(self) -> str:
        """Return its path, so that it may stand where a path does."""
        return self.path


def index(
    fasta: str | Path,
    path: str | Path,
    *,
    quantifier: str = "kallisto",
    program: str | None = None,
    threads: int = 1,
) -> Index:
    """Make the index of a transcriptome, unless it is there.

    Parameters
    ----------
    fasta
        Transcripts, plain or gzip.
    path
        Where the index goes. Several runs may ask for it at once: one makes it.
    quantifier, program
        ``"kallisto"`` or ``"salmon"``, and where the program is if not on PATH.
    threads
        Threads of the program, where it uses several.

    Raises
    ------
    UsageError
        If there are no transcripts.
    ToolFailed
        If the program fails; nothing is left at ``path`` then.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_transcripts
    >>> folder = Path(tempfile.mkdtemp())
    >>> index(write_transcripts(folder / "t.fa", 5), folder / "t.idx").quantifier
    'kallisto'
    """
    fasta, path = Path(fasta), Path(path)
    if not fasta.is_file() or not fasta.stat().st_size:
        raise UsageError(f"{fasta}: no transcripts there")
    tool = find_quantifier(quantifier, program)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _make(tool, fasta, path, threads)
    return read_index(path, tool)


def _make(tool: Quantifier, fasta: Path, path: Path, threads: int) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    log = path.with_name(f"{path.name}.log")
    try:
        run_tool(tool.index_command(fasta, draft, threads), log=log)
        os.replace(draft, path)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        draft.unlink(missing_ok=True)


def read_index(path: str | os.PathLike[str], tool: Quantifier) -> Index:
    """Return what an index is; its checksum is kept beside it and renewed when the file changes.

    Raises
    ------
    UsageError
        If it is not there.
    """
    path = Path(path).absolute()
    files = _files(path)
    if not files:
        raise UsageError(f"{path}: no index there; make one: polytene rnaseq index FASTA -o {path}")
    mark = [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]
    beside = path.with_name(f"{path.name}.json")
    try:
        known = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict) or known.get("files") != mark:
        known = {"files": mark, "sha256": _sha256(files)}
        with suppress(PermissionError):  # a shared index that others keep
            write_bytes(beside, (json.dumps(known, indent=1) + "\n").encode())
    nbytes = sum(p.stat().st_size for p in files)
    return Index(str(path), str(known["sha256"]), nbytes, tool.name, tool.version())


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        unlike = ("json", "log")  # they tell of times and paths
        return [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix[1:] not in unlike]
    return [path] if path.is_file() else []


def _sha256(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with open(path, "rb") as source:
            whole.update(hashlib.file_digest(source, "sha256").digest())
    if len(files) == 1:
        with open(files[0], "rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    return whole.hexdigest()


def as_params(found: Index) -> dict[str, object]:
    """Return what results depend on: content and version, no path."""
    about = asdict(found)
    return {k: about[k] for k in ("sha256", "quantifier", "version")}
