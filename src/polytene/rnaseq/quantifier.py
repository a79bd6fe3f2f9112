"""The programs that count reads per transcript, behind one small protocol: kallisto, salmon."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from polytene.core.tools import tool_version
from polytene.exceptions import BadInput, PreflightError, UsageError
from polytene.rnaseq.abundance import COLUMNS, Counts, read_json


@dataclass(frozen=True)
class Fragments:
    """Length of the fragments of single-end libraries, in bases; their reads cannot tell it."""

    length: float = 200.0
    sd: float = 20.0


class Quantifier(Protocol):
    """What a program has to offer to be used here."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def path(self) -> str:
        """Where it is."""

    def version(self) -> str:
        """Return the version that it prints."""

    def index_command(self, fasta: Path, index: Path, threads: int) -> list[str]:
        """Return the command that makes an index."""

    def command(
        self, index: str, out: Path, reads: Sequence[str], threads: int, single: Fragments | None
    ) -> list[str]:
        """Return the command that quantifies; ``single`` for single-end reads."""

    def finish(self, out: Path) -> Counts:
        """Make sure that ``abundance.tsv`` is there, and return what the program says."""


@dataclass(frozen=True)
class Kallisto:
    """kallisto: Bray et al. (2016) Nature Biotechnology 34:525."""

    path: str
    name: str = "kallisto"
    _NUMBERS: ClassVar = ("n_targets", "n_processed", "n_pseudoaligned")

    def version(self) -> str:
        """Return the version that it prints."""
        return tool_version(self.path, "version")

    def index_command(self, fasta: Path, index: Path, threads: int) -> list[str]:
        """Return the command that makes an index."""
        return [self.path, "index", "-i", str(index), str(fasta)]

    def command(
        self, index: str, out: Path, reads: Sequence[str], threads: int, single: Fragments | None
    ) -> list[str]:
        """Return the command that quantifies; ``single`` for single-end reads."""
        ends = ["--single", "-l", f"{single.length:g}", "-s", f"{single.sd:g}"] if single else []
        text = ["--plaintext"]
        shared = [self.path, "quant", "-i", index, "-o", str(out), "-t", str(threads)]
        return [*shared, *text, *ends, *reads]

    def finish(self, out: Path) -> Counts:
        """Make sure that ``abundance.tsv`` is there, and return what the program says."""
        said = read_json(out / "run_info.json")
        try:
            n_targets, seen, placed = (int(said[k]) for k in self._NUMBERS)
            versions = str(said["kallisto_version"]), str(said["index_version"])
            return Counts(n_targets, seen, placed, *versions)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("bad-run-info", f"{out / 'run_info.json'}: {error!r}") from None


@dataclass(frozen=True)
class Salmon:
    """salmon: Patro et al. (2017) Nature Methods 14:417."""

    path: str
    name: str = "salmon"
    _NUMBERS: ClassVar = ("num_valid_targets", "num_processed", "num_mapped")

    def version(self) -> str:
        """Return the version that it prints."""
        return tool_version(self.path, "--version")

    def index_command(self, fasta: Path, index: Path, threads: int) -> list[str]:
        """Return the command that makes an index."""
        return [self.path, "index", "-t", str(fasta), "-i", str(index), "-p", str(threads)]

    def command(
        self, index: str, out: Path, reads: Sequence[str], threads: int, single: Fragments | None
    ) -> list[str]:
        """Return the command that quantifies; ``single`` for single-end reads."""
        shared = [self.path, "quant", "-i", index, "-l", "A", "-o", str(out), "-p", str(threads)]
        if single:
            length = ["--fldMean", f"{single.length:g}", "--fldSD", f"{single.sd:g}"]
            return [*shared, *length, "-r", *reads]
        return [*shared, "-1", reads[0], "-2", reads[1]]

    def finish(self, out: Path) -> Counts:
        """Make sure that ``abundance.tsv`` is there, and return what the program says."""
        said = read_json(out / "aux_info" / "meta_info.json")
        try:
            lines = (out / "quant.sf").read_text(encoding="utf-8").splitlines()
            rows = [line.split("\t") for line in lines[1:]]
            text = ["\t".join(COLUMNS)] + ["\t".join((n, w, e, c, t)) for n, w, e, t, c in rows]
            (out / "abundance.tsv").write_text("\n".join(text) + "\n", encoding="utf-8")
            n_targets, seen, placed = (int(said[k]) for k in self._NUMBERS)
            versions = str(said["salmon_version"]), str(said["index_seq_hash"])[:16]
            return Counts(n_targets, seen, placed, *versions)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise BadInput("bad-run-info", f"{out}: {error!r}") from None


KINDS: dict[str, type[Kallisto] | type[Salmon]] = {"kallisto": Kallisto, "salmon": Salmon}


def find_quantifier(name: str = "kallisto", path: str | None = None) -> Quantifier:
    """Return a quantifier: at ``path``, else where the environment variable of its name says.

    After those come PATH and, for kallisto, the programs that the Python package kb-python holds.

    Raises
    ------
    UsageError
        For a name that is not known.
    PreflightError
        If the program is not there, with what to install.
    """
    if name not in KINDS:
        raise UsageError(f"quantifier is {name!r}: one of {', '.join(KINDS)}")
    for place in (path, os.environ.get(name.upper()), name):
        if place and (found := shutil.which(place)):
            return KINDS[name](found)
        if place and place != name:
            raise PreflightError(f"{place} is not a program that can be run")
    if name == "kallisto" and (bundled := _bundled()):
        return Kallisto(bundled)
    raise PreflightError(
        f"{name} is not on PATH: install it (Debian: apt install {name}; conda: bioconda::{name}"
        + ("; pip install --no-deps kb-python)" if name == "kallisto" else ")")
        + f", or name it with --{name} or the environment variable {name.upper()}"
    )


def _bundled() -> str | None:
    """Return the kallisto inside kb-python, if that is installed."""
    found = importlib.util.find_spec("kb_python")
    if found is None or not found.origin:
        return None
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), "")
    path = Path(found.origin).parent / "bins" / system / "kallisto" / "kallisto"
    return str(path) if os.access(path, os.X_OK) else None
