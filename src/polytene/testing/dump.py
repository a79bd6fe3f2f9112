"""Small dumps of SRA metadata in the archive's layout, with studies and samples far away."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polytene.testing.records import LIBRARIES, ORGANISMS, experiment, run, sample, study

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass
class Submission:
    """A generated submission: its accession, and its documents by kind."""

    accession: str
    documents: dict[str, bytes] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


def generated(n: int, first: int = 1, seed: int = 1) -> Iterator[Submission]:
    """Yield generated submissions from number ``first``; equal arguments, equal bytes.

    Every third one brings a study, and the next two use it; some experiments use a sample of the
    submission before. One experiment in thirty has no title, one in forty no layout.
    """
    for i in range(first, first + n):
        yield _submission(i, np.random.default_rng([seed, i]))


def _submission(i: int, random: Any) -> Submission:
    out = Submission(f"SRA{900000 + i:06d}")
    organism = ORGANISMS[int(random.integers(len(ORGANISMS)))]
    library = LIBRARIES[int(random.integers(len(LIBRARIES)))]
    project = f"SRP{900000 + (i + 2) // 3:06d}"
    size = int(min(300, max(1, random.lognormal(0.7, 1.57))))  # half have two, a tenth fifteen
    experiments, samples, runs = [], [], []
    for k in range(size):
        number = f"{i:06d}{k:03d}"
        used = f"SRS{i - 1:06d}000" if i > 1 and k == 1 else f"SRS{number}"
        experiments.append(experiment(f"SRX{number}", project, used, library, number, random))
        samples.append(sample(f"SRS{number}", organism, number, random))
        for j in range(int(random.integers(1, 3))):
            name = f"SRR{number}{j}"
            spots = int(random.integers(10_000, 50_000_000))
            runs.append(run(name, f"SRX{number}", number))
            about = {"run": name, "experiment": f"SRX{number}", "sample": used, "study": project}
            out.rows.append({**about, "spots": spots, "bases": spots * 150})
    out.documents["experiment"] = _set("EXPERIMENT", experiments)
    out.documents["run"] = _set("RUN", runs)
    out.documents["sample"] = _set("SAMPLE", samples)
    if i % 3 == 1:
        out.documents["study"] = _set("STUDY", [study(project, random)])
    out.documents["submission"] = (
        f'{HEAD}<SUBMISSION accession="{out.accession}" alias="generated {i}" '
        'center_name="GEN" lab_name="" submission_date="2020-02-03T04:05:06Z"/>\n'
    ).encode()
    return out


def _set(kind: str, records: list[str]) -> bytes:
    return f"{HEAD}<{kind}_SET>\n{''.join(records)}</{kind}_SET>\n".encode()


def write_dump(
    folder: str | Path | None = None, *, submissions: int = 20, first: int = 1, seed: int = 1
) -> Path:
    """Write generated submissions as a tree, in a temporary folder by default.

    Examples
    --------
    >>> sorted(p.name for p in write_dump(submissions=2).iterdir())
    ['SRA900001', 'SRA900002']
    """
    root = Path(folder or tempfile.mkdtemp(prefix="polytene-dump-"))
    for one in generated(submissions, first, seed):
        below = root / one.accession
        below.mkdir(parents=True, exist_ok=True)
        for kind, data in one.documents.items():
            (below / f"{one.accession}.{kind}.xml").write_bytes(data)
    return root


def write_archive(
    path: str | Path, *, submissions: int = 20, first: int = 1, seed: int = 1, tables: bool = True
) -> Path:
    """Write generated submissions as a tar archive, gzip where the name ends with ``gz``.

    With ``tables`` it holds ``SRA_Accessions`` and ``SRA_Run_Members``, too.
    """
    path = Path(path)
    made = list(generated(submissions, first, seed))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for one in made:
            for kind, data in one.documents.items():
                _add(archive, f"{one.accession}/{one.accession}.{kind}.xml", data)
        if tables:
            _add(archive, "SRA_Accessions", accessions_table(made))
            _add(archive, "SRA_Run_Members", members_table(made))
    data = raw.getvalue()
    path.write_bytes(gzip.compress(data, 6, mtime=0) if path.suffix.endswith("gz") else data)
    return path


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(data)
    archive.addfile(about, io.BytesIO(data))


def accessions_table(made: list[Submission]) -> bytes:
    """Return ``SRA_Accessions`` of submissions: their runs, live but for every fiftieth."""
    lines = [
        "Accession\tSubmission\tStatus\tUpdated\tPublished\tReceived\tType\tCenter\tVisibility\t"
        "Alias\tExperiment\tSample\tStudy\tLoaded\tSpots\tBases\tMd5sum\tBioSample\tBioProject\t"
        "ReplacedBy"
    ]
    for one in made:
        for row in one.rows:
            status = "suppressed" if int(row["run"][3:]) % 50 == 0 else "live"
            lines.append(
                f"{row['run']}\t{one.accession}\t{status}\t2021-03-04T05:06:07Z\t"
                f"2021-03-04T05:06:07Z\t2021-03-01T00:00:00Z\tRUN\tGEO\tpublic\t{row['run']}_r1\t"
                f"{row['experiment']}\t{row['sample']}\t{row['study']}\t1\t{row['spots']}\t"
                f"{row['bases']}\t-\t-\t-\t-"
            )
    return ("\n".join(lines) + "\n").encode()


def members_table(made: list[Submission]) -> bytes:
    """Return ``SRA_Run_Members`` of submissions."""
    lines = ["Run\tMember_Name\tExperiment\tSample\tStudy\tSpots\tBases\tStatus\tBioSample"]
    for one in made:
        for row in one.rows:
            lines.append(
                f"{row['run']}\tdefault\t{row['experiment']}\t{row['sample']}\t{row['study']}\t"
                f"{row['spots']}\t{row['bases']}\tlive\t-"
            )
    return ("\n".join(lines) + "\n").encode()


def write_package_set(path: str | Path, *, packages: int = 20, seed: int = 1) -> Path:
    """Write generated experiments as an ``EXPERIMENT_PACKAGE_SET``, as Entrez gives them."""
    path = Path(path)
    with open(path, "wb") as raw:
        out: Any = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        out.write(f"{HEAD}<EXPERIMENT_PACKAGE_SET>\n".encode())
        for i in range(1, packages + 1):
            out.write(_package(i, np.random.default_rng([seed, i])).encode())
        out.write(b"</EXPERIMENT_PACKAGE_SET>\n")
        if out is not raw:
            out.close()
    return path


def _package(i: int, random: Any) -> str:
    number = f"{i:09d}"
    organism = ORGANISMS[int(random.integers(len(ORGANISMS)))]
    library = LIBRARIES[int(random.integers(len(LIBRARIES)))]
    project, used = f"SRP{i // 7:06d}", f"SRS{number}"
    return (
        "<EXPERIMENT_PACKAGE>\n"
        f"{experiment(f'SRX{number}', project, used, library, number, random)}"
        f'<SUBMISSION accession="SRA{i // 7:06d}" center_name="GEO"/>\n'
        f"{study(project, np.random.default_rng(i // 7))}"
        f"{sample(used, organism, number, random)}"
        f"<RUN_SET>\n{run(f'SRR{number}', f'SRX{number}', number)}</RUN_SET>\n"
        "</EXPERIMENT_PACKAGE>\n"
    )
