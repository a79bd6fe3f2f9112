"""Reads from the Sequence Read Archive, by its own programs: prefetch, then fasterq-dump."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from polytene.core.tools import ToolFailed, require, run_tool
from polytene.exceptions import BadInput
from polytene.formats.remote import DownloadFailed, NotThere, Patience
from polytene.rnaseq.reads import count_reads

PROGRAMS = ("prefetch", "fasterq-dump")
_CONFIG = """/LIBS/GUID = "8badf00d-0000-4000-8000-000000000001"
/repository/remote/main/SDL.2/resolver-cgi = "{url}"
/repository/remote/disabled = "false"
/repository/user/main/public/apps/sra/volumes/sraFlat = "sra"
/libs/cloud/report_instance_identity = "false"
/http/proxy/enabled = "false"
"""


def check_programs() -> None:
    """Refuse work that needs the SRA's programs where they are not.

    Raises
    ------
    PreflightError
        With the program that is missing.
    """
    for name in PROGRAMS:
        require(name)


def fetch_sra(
    run: str, into: Path, log: Path, *, sdl_url: str | None, patience: Patience
) -> dict[str, Any]:
    """Download a run and unpack it to FASTQ in ``into``.

    prefetch takes a damaged file that it finds for a good one, and a lock of a killed process
    for a living one; therefore each try has a folder of its own, which is removed with it.

    Raises
    ------
    NotThere
        If the archive does not have the run.
    DownloadFailed
        If it cannot be downloaded whole.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix="prefetch-") as private:
        own = Path(private)
        env = _environment(own, sdl_url)
        sra = _prefetch(run, own, log, env, patience)
        with open(sra, "rb") as source:
            md5 = hashlib.file_digest(source, "md5").hexdigest()
        nbytes = sra.stat().st_size
        files = unpack(sra, own / "fastq", log.with_suffix(".unpack.log"), env, patience)
        sra.unlink()
        for path in files:
            os.replace(path, into / path.name)
    return {
        "files": [str(into / path.name) for path in files],
        "reads": count_reads(into / files[0].name),
        "md5": [md5],
        "bytes": nbytes,
    }


def _environment(folder: Path, sdl_url: str | None) -> dict[str, str]:
    env = {**os.environ, "TMPDIR": str(folder)}
    if sdl_url:
        (folder / "config").mkdir()
        (folder / "config" / "sdl.kfg").write_text(_CONFIG.format(url=sdl_url))
        env |= {"VDB_CONFIG": str(folder / "config"), "NCBI_SETTINGS": "/", "HOME": str(folder)}
    return env


def _prefetch(run: str, own: Path, log: Path, env: dict[str, str], patience: Patience) -> Path:
    command = ["prefetch", run, "-O", str(own / "raw"), "--max-size", "u", "--progress"]
    limits = {"timeout": patience.total, "quiet_timeout": patience.idle}
    try:
        run_tool(command, log=log, cwd=own, env=env, watched=own, **limits)
    except ToolFailed as error:
        _refuse_full_disk(error, own)
        if re.search(r"\b404\b|cannot be found|Cannot resolve accession|not found", str(error)):
            raise NotThere("not-found", f"{run}: the SRA does not have it") from None
        raise DownloadFailed("prefetch-failed", f"{run}: {error}") from None
    found = [p for p in (own / "raw").rglob(f"{run}.sra*") if p.suffix in (".sra", ".sralite")]
    if not found:
        raise DownloadFailed("prefetch-failed", f"{run}: prefetch left no .sra file, see {log}")
    return found[0]


def _refuse_full_disk(error: ToolFailed, folder: Path) -> None:
    """Raise what the system said, if the programs say in their words that the disk is full."""
    if re.search(r"rcExhausted|storage exhausted|disk-limit", str(error)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None


def unpack(
    sra: Path, into: Path, log: Path, env: dict[str, str] | None, patience: Patience
) -> list[Path]:
    """Return the FASTQ files of a .sra file: both mates, or the only one.

    Raises
    ------
    DownloadFailed
        If the file is damaged: it has to be downloaded again.
    BadInput
        ``empty-run`` if there is no read in it.
    """
    into.mkdir(parents=True, exist_ok=True)
    run = sra.stem
    command = ["fasterq-dump", str(sra), "-O", str(into), "-t", str(into), "--split-3", "-e", "2"]
    try:
        run_tool(command, log=log, env=env, quiet_timeout=max(600.0, patience.idle))
    except ToolFailed as error:
        _refuse_full_disk(error, into)
        if "rcEmpty" in str(error):
            raise BadInput("empty-run", f"{sra.name}: no read in it") from None
        raise DownloadFailed("damaged-sra", f"{run}: {error}") from None
    pair = [into / f"{run}_{end}.fastq" for end in (1, 2)]
    files = pair if all(p.exists() for p in pair) else sorted(into.glob("*.fastq"))[:1]
    if not files or not files[0].stat().st_size:
        raise BadInput("empty-run", f"{sra.name}: no read in it")
    _check_written(files, into, log)
    for spare in set(into.iterdir()) - set(files):
        shutil.rmtree(spare) if spare.is_dir() else spare.unlink()
    return files


def _check_written(files: list[Path], into: Path, log: Path) -> None:
    """Compare the reads on disk with those that fasterq-dump says it wrote."""
    said = re.search(r"reads written\s*:\s*([\d,]+)", log.read_text(errors="replace"))
    if not said:
        raise DownloadFailed("damaged-sra", f"{log}: fasterq-dump does not say what it wrote")
    expected = int(said[1].replace(",", ""))
    there = sum(count_reads(path) for path in into.glob("*.fastq"))
    if there != expected:
        raise DownloadFailed(
            "damaged-sra", f"{files[0].stem}: {there:,} of {expected:,} reads are on disk"
        )
