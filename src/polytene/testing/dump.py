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
from xml.sax.saxutils import escape, quoteattr

import numpy as np

ORGANISMS = (
    ("Homo sapiens", 9606),
    ("Mus musculus", 10090),
    ("Pogonomyrmex barbatus", 144034),
    ("Arabidopsis thaliana", 3702),
    ("human gut metagenome", 408170),
    ("Severe acute respiratory syndrome coronavirus 2", 2697049),
)
LIBRARIES = (
    ("RNA-Seq", "TRANSCRIPTOMIC", "cDNA", "PAIRED"),
    ("WGS", "GENOMIC", "RANDOM", "PAIRED"),
    ("AMPLICON", "METAGENOMIC", "PCR", "SINGLE"),
    ("ChIP-Seq", "GENOMIC", "ChIP", "SINGLE"),
    ("OTHER", "OTHER", "unspecified", "SINGLE"),
)
INSTRUMENTS = ("Illumina HiSeq 2500", "NextSeq 550", "Illumina NovaSeq 6000")
WORDS = [
    "samples",
    "were",
    "ground",
    "in",
    "liquid",
    "nitrogen",
    "and",
    "total",
    "RNA",
    "extracted",
    "with",
    "column",
    "purification",
    "libraries",
    "prepared",
    "following",
    "the",
    "manufacturer",
    "protocol",
    "with",
    "size",
    "selection",
    "of",
    "fragments",
    "reads",
    "trimmed",
    "for",
    "adapters",
    "&",
    "low",
    "quality;",
    "clusters",
    "generated",
    "at",
    "8",
    "pM",
    "<",
    "12",
    "cycles",
    "of",
    "PCR",
]
TISSUES = ("brain", "liver", "whole body", "leaf", "gut")
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
    study = f"SRP{900000 + (i + 2) // 3:06d}"
    size = int(min(60, 1 + random.lognormal(1.2, 1.0)))
    experiments, samples, runs = [], [], []
    for k in range(size):
        number = f"{i:06d}{k:03d}"
        sample = f"SRS{number}"
        used = f"SRS{i - 1:06d}000" if i > 1 and k == 1 else sample
        experiments.append(_experiment(f"SRX{number}", study, used, library, number, random))
        samples.append(_sample(sample, organism, number, random))
        for j in range(int(random.integers(1, 3))):
            run = f"SRR{number}{j}"
            spots = int(random.integers(10_000, 50_000_000))
            runs.append(_run(run, f"SRX{number}"))
            about = {"run": run, "experiment": f"SRX{number}", "sample": used, "study": study}
            out.rows.append({**about, "spots": spots, "bases": spots * 150})
    out.documents["experiment"] = _set("EXPERIMENT", experiments)
    out.documents["run"] = _set("RUN", runs)
    out.documents["sample"] = _set("SAMPLE", samples)
    if i % 3 == 1:
        out.documents["study"] = _set("STUDY", [_study(study, random)])
    out.documents["submission"] = (
        f'{HEAD}<SUBMISSION accession="{out.accession}" alias="generated {i}" '
        'center_name="GEN" lab_name="" submission_date="2020-02-03T04:05:06Z"/>\n'
    ).encode()
    return out


def _text(random: Any, words: int) -> str:
    return escape(" ".join(WORDS[w] for w in random.integers(len(WORDS), size=words)))


def _set(kind: str, records: list[str]) -> bytes:
    return f"{HEAD}<{kind}_SET>\n{''.join(records)}</{kind}_SET>\n".encode()


def _identifiers(accession: str, more: str = "") -> str:
    return f"<IDENTIFIERS>\n<PRIMARY_ID>{accession}</PRIMARY_ID>\n{more}</IDENTIFIERS>\n"


def _attributes(kind: str, pairs: list[tuple[str, str]]) -> str:
    one = f"{kind}_ATTRIBUTE"
    body = "".join(
        f"<{one}>\n<TAG>{t}</TAG>\n<VALUE>{escape(v)}</VALUE>\n</{one}>\n" for t, v in pairs
    )
    return f"<{one}S>\n{body}</{one}S>\n"


def _experiment(
    accession: str,
    study: str,
    sample: str,
    library: tuple[str, str, str, str],
    number: str,
    random: Any,
) -> str:
    strategy, source, selection, layout = library
    chance = random.random(4)
    title = "" if chance[0] < 1 / 30 else f"GSM{number}: {_text(random, 8)}; {strategy}"
    length = ' NOMINAL_LENGTH="250" NOMINAL_SDEV="2.5E1"' if layout == "PAIRED" else ""
    shown = "" if chance[1] < 1 / 40 else f"<{layout}{length} />\n"
    protocol = _text(random, int(random.integers(20, 160)))
    return (
        f'<EXPERIMENT alias="GSM{number}" accession="{accession}" center_name="GEO">\n'
        f"{_identifiers(accession)}<TITLE>{title}</TITLE>\n"
        f'<STUDY_REF accession="{study}" refname="GSE{number}">\n'
        f"{_identifiers(study)}</STUDY_REF>\n"
        f'<DESIGN>\n<DESIGN_DESCRIPTION />\n<SAMPLE_DESCRIPTOR accession="{sample}">\n'
        f"{_identifiers(sample)}</SAMPLE_DESCRIPTOR>\n<LIBRARY_DESCRIPTOR>\n"
        f"<LIBRARY_NAME>lib {number}</LIBRARY_NAME>\n"
        f"<LIBRARY_STRATEGY>{strategy}</LIBRARY_STRATEGY>\n"
        f"<LIBRARY_SOURCE>{source}</LIBRARY_SOURCE>\n"
        f"<LIBRARY_SELECTION>{selection}</LIBRARY_SELECTION>\n"
        f"<LIBRARY_LAYOUT>\n{shown}</LIBRARY_LAYOUT>\n"
        f"<LIBRARY_CONSTRUCTION_PROTOCOL>{protocol}</LIBRARY_CONSTRUCTION_PROTOCOL>\n"
        "</LIBRARY_DESCRIPTOR>\n</DESIGN>\n<PLATFORM>\n<ILLUMINA>\n"
        f"<INSTRUMENT_MODEL>{INSTRUMENTS[int(chance[2] * 3)]}</INSTRUMENT_MODEL>\n"
        "</ILLUMINA>\n</PLATFORM>\n"
        f"{_attributes('EXPERIMENT', [('GEO Accession', f'GSM{number}')])}</EXPERIMENT>\n"
    )


def _sample(accession: str, organism: tuple[str, int], number: str, random: Any) -> str:
    name, taxid = organism
    tissue = TISSUES[int(random.integers(len(TISSUES)))]
    pairs = [("source_name", tissue), ("tissue", tissue), ("age", f"{random.integers(90)} d")]
    biosample = f'<EXTERNAL_ID namespace="BioSample">SAMN{number}</EXTERNAL_ID>\n'
    return (
        f"<SAMPLE alias={quoteattr(f'S {number}')} accession={quoteattr(accession)}>\n"
        f"{_identifiers(accession, biosample)}<TITLE>{_text(random, 6)}</TITLE>\n"
        f"<SAMPLE_NAME>\n<TAXON_ID>{taxid}</TAXON_ID>\n"
        f"<SCIENTIFIC_NAME>{name}</SCIENTIFIC_NAME>\n</SAMPLE_NAME>\n"
        f"{_attributes('SAMPLE', pairs)}</SAMPLE>\n"
    )


def _run(accession: str, experiment: str) -> str:
    return (
        f'<RUN alias="{accession}_r1" accession="{accession}" center_name="GEO">\n'
        f"{_identifiers(accession)}"
        f'<EXPERIMENT_REF accession="{experiment}" refname="x">\n{_identifiers(experiment)}'
        "</EXPERIMENT_REF>\n</RUN>\n"
    )


def _study(accession: str, random: Any) -> str:
    project = f'<EXTERNAL_ID namespace="BioProject">PRJNA{accession[3:]}</EXTERNAL_ID>\n'
    return (
        f'<STUDY accession="{accession}" center_name="GEO" alias="GSE{accession[3:]}">\n'
        f"{_identifiers(accession, project)}<DESCRIPTOR>\n"
        f"<STUDY_TITLE>{_text(random, 12)}</STUDY_TITLE>\n"
        '<STUDY_TYPE existing_study_type="Transcriptome Analysis" />\n'
        f"<STUDY_ABSTRACT>{_text(random, 120)}</STUDY_ABSTRACT>\n"
        "</DESCRIPTOR>\n</STUDY>\n"
    )


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
    study, sample = f"SRP{i // 7:06d}", f"SRS{number}"
    return (
        "<EXPERIMENT_PACKAGE>\n"
        f"{_experiment(f'SRX{number}', study, sample, library, number, random)}"
        f'<SUBMISSION accession="SRA{i // 7:06d}" center_name="GEO"/>\n'
        f"{_study(study, np.random.default_rng(i // 7))}"
        f"{_sample(sample, organism, number, random)}"
        f"<RUN_SET>\n{_run(f'SRR{number}', f'SRX{number}')}</RUN_SET>\n"
        "</EXPERIMENT_PACKAGE>\n"
    )
