"""Transcripts and reads with known counts, as FASTA and FASTQ."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BASES = np.frombuffer(b"ACGT", np.uint8)
COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
READ = 75
FRAGMENT = 200


def write_transcripts(path: str | Path, n: int = 50, *, length: int = 1000, seed: int = 1) -> Path:
    """Write ``n`` random transcripts as FASTA; equal arguments, equal bytes.

    Examples
    --------
    >>> import tempfile
    >>> write_transcripts(Path(tempfile.mkdtemp(), "t.fa"), 2).read_text().count(">")
    2
    """
    random = np.random.default_rng([seed, n, length])
    path = Path(path)
    with open(path, "wb") as out:
        for i in range(n):
            bases = BASES[random.integers(0, 4, length + 10 * i)].tobytes()
            out.write(b">GENT%06d\n%s\n" % (i + 1, bases))
    return path


def write_reads(
    folder: str | Path,
    transcripts: str | Path,
    *,
    runs: int = 4,
    reads: int = 2000,
    paired: bool = True,
    first: int = 1,
    seed: int = 1,
    names: Sequence[str] = (),
) -> list[str]:
    """Write generated runs as ``RUN_1.fastq.gz`` and ``RUN_2.fastq.gz``; return their accessions.

    Without ``names`` the accessions begin with ``SRR9``, followed by zeros: they stand for nothing
    in the archive.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_reads(folder, write_transcripts(folder / "t.fa", 3), runs=2, reads=10)
    ['SRR90000001', 'SRR90000002']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = Path(transcripts).read_bytes().splitlines()
    sequences = [line for line in lines if not line.startswith(b">")]
    names = list(names) or [f"SRR9{i:07d}" for i in range(first, first + runs)]
    for i, name in enumerate(names, first):
        random = np.random.default_rng([seed, i])
        share = random.gamma(0.5, size=len(sequences))
        of = random.choice(len(sequences), reads, p=share / share.sum())
        mates: tuple[list[bytes], list[bytes]] = ([], [])
        for k, t in enumerate(of):
            bases = sequences[t]
            size = int(min(len(bases), max(READ, random.normal(FRAGMENT, 20))))
            start = int(random.integers(0, len(bases) - size + 1))
            fragment = bases[start : start + size]
            back = fragment.translate(COMPLEMENT)[::-1]
            for mate, text in zip(mates, (fragment[:READ], back[:READ]), strict=True):
                head = b"@%s.%d %d length=%d" % (name.encode(), k + 1, k + 1, len(text))
                mate.append(b"%s\n%s\n+\n%s\n" % (head, text, b"I" * len(text)))
        if paired:
            for end, mate in enumerate(mates, 1):
                _write(folder / f"{name}_{end}.fastq.gz", b"".join(mate))
        else:
            _write(folder / f"{name}.fastq.gz", b"".join(mates[0]))
    return names


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(gzip.compress(text, 5, mtime=0))
