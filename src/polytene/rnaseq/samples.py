"""Lists of samples, as people have them: which runs, and what is known of each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from polytene.exceptions import UsageError

is_run = re.compile(r"[SED]RR[0-9]{5,12}").fullmatch
is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch
MOST_BYTES = 256 << 20

FIELDS = pa.schema(
    [
        ("run", pa.string()),
        ("layout", pa.string()),
        ("spots", pa.int64()),
        ("fragment_length", pa.float64()),
        ("fragment_sd", pa.float64()),
        ("organism", pa.string()),
        ("sra_bytes", pa.int64()),
        ("urls", pa.list_(pa.string())),
        ("bytes", pa.list_(pa.int64())),
        ("md5", pa.list_(pa.string())),
    ]
)
"""Columns that every list has once it is read; those of the list itself follow them as text."""

Row = dict[str, str]


def _ena(row: Row) -> dict[str, Any]:
    urls = [_url(u) for u in _many(row.get("fastq_ftp") or row.get("fastq_http"))]
    return {
        "run": row["run_accession"],
        "layout": row.get("library_layout"),
        "spots": row.get("read_count"),
        "fragment_length": row.get("nominal_length"),
        "fragment_sd": row.get("nominal_sdev"),
        "organism": row.get("scientific_name"),
        "sra_bytes": row.get("sra_bytes"),
        "urls": urls,
        "bytes": _many(row.get("fastq_bytes")),
        "md5": _many(row.get("fastq_md5")),
    }


def _runinfo(row: Row) -> dict[str, Any]:
    megabytes = row.get("size_MB")
    return {
        "run": row["Run"],
        "layout": row.get("LibraryLayout"),
        "spots": row.get("spots"),
        "fragment_length": row.get("InsertSize"),
        "fragment_sd": row.get("InsertDev"),
        "organism": row.get("ScientificName"),
        "sra_bytes": str(int(float(megabytes) * 1_000_000)) if megabytes else None,
    }


def _amalgkit(row: Row) -> dict[str, Any]:
    return {
        "run": row["run"],
        "layout": row.get("lib_layout"),
        "spots": row.get("total_spots"),
        "fragment_length": row.get("nominal_length"),
        "fragment_sd": row.get("nominal_sdev"),
        "organism": row.get("scientific_name"),
        "sra_bytes": row.get("size"),
    }


def _fetchngs(row: Row) -> dict[str, Any]:
    named = _many((row.get("fastq_ftp") or "").replace(",", ";"))
    return {
        "run": row["run_accession"],
        "layout": row.get("library_layout"),
        "spots": row.get("read_count"),
        "organism": row.get("scientific_name"),
        "urls": [_url(u) for u in named],
        "bytes": _many(row.get("fastq_bytes")) if named else [],
        "md5": _many(row.get("fastq_md5")) if named else [],
    }


def _polytene(row: Row) -> dict[str, Any]:
    return {
        "run": row["run"],
        "layout": row.get("library_layout") or row.get("layout"),
        "spots": row.get("total_spots") or row.get("spots"),
        "fragment_length": row.get("nominal_length") or row.get("fragment_length"),
        "fragment_sd": row.get("nominal_sdev") or row.get("fragment_sd"),
        "organism": row.get("organism"),
        "sra_bytes": row.get("size") or row.get("sra_bytes"),
        "urls": _many(row.get("urls")),
        "bytes": _many(row.get("bytes")),
        "md5": _many(row.get("md5")),
    }


FORMATS: Mapping[str, tuple[frozenset[str], Callable[[Row], dict[str, Any]]]] = {
    "amalgkit": (frozenset({"run", "exclusion", "scientific_name"}), _amalgkit),
    "fetchngs": (frozenset({"run_accession", "fastq_1"}), _fetchngs),
    "ena": (frozenset({"run_accession"}), _ena),
    "runinfo": (frozenset({"Run"}), _runinfo),
    "polytene": (frozenset({"run"}), _polytene),
}


def read_samples(source: str | Path | Iterable[str]) -> pa.Table:
    """Read a list of runs: a file of any of the usual kinds, or accessions.

    Parameters
    ----------
    source
        A file: one accession per line; amalgkit's ``metadata.tsv`` (rows with ``exclusion`` no
        and ``is_sampled`` yes); SRA RunInfo (CSV); an ENA file report; the samplesheet of
        nf-core/fetchngs; the list that ``polytene metadata`` writes. Or the accessions
        themselves.

    Returns
    -------
    pyarrow.Table
        One row per run: ``run``, ``layout`` (``PAIRED``, ``SINGLE`` or null), ``spots``,
        ``fragment_length`` and ``fragment_sd`` (bases), ``organism``, ``sra_bytes``, and per
        FASTQ file ``urls``, ``bytes``, ``md5``. The list's own columns follow, as text. What
        the list does not say is null.

    Raises
    ------
    UsageError
        For an accession or number that is none, a run that occurs twice, or a list of no kind
        that is known; with the line.

    Examples
    --------
    >>> read_samples(["SRR14740487", "SRR14740488"])["run"].to_pylist()
    ['SRR14740487', 'SRR14740488']
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file() and isinstance(source, str) and is_run(source):
            return _table([(1, {"run": source})], [], "accessions", "the list")
        return parse_samples(_read(path), str(path))
    named = [(i, {"run": str(name)}) for i, name in enumerate(source, 1)]
    return _table(named, [], "accessions", "the list")


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: {path.stat().st_size:,} bytes are too many for a list")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8 text") from None


def parse_samples(text: str, name: str) -> pa.Table:
    """Return the runs of a list; ``name`` is how errors call it."""
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise UsageError(f"{name}: no run in it")
    head = lines[first]
    mark = "\t" if "\t" in head else ","
    columns = next(csv.reader([head], delimiter=mark))
    known = next((k for k, (need, _) in FORMATS.items() if need <= set(columns)), None)
    if known is None:
        return _accessions(lines, name)
    reader = csv.DictReader(io.StringIO("\n".join(lines[first:])), delimiter=mark)
    convert = FORMATS[known][1]
    found, own = [], []
    for row in reader:
        at = first + reader.line_num
        if None in row or any(v is None for v in row.values()):
            raise UsageError(f"{name}, line {at}: it has not the {len(columns)} columns of line 1")
        if not any(row.values()) or (known == "runinfo" and row["Run"] == "Run"):
            continue
        if known == "amalgkit" and not _selected(row):
            continue
        found.append((at, convert(row)))
        own.append(row)
    return _table(found, own, known, name)


def _selected(row: Row) -> bool:
    return row["exclusion"].strip() in ("", "no") and row.get("is_sampled", "yes") in ("", "yes")


def _accessions(lines: Sequence[str], name: str) -> pa.Table:
    rows = [(i, {"run": line.strip()}) for i, line in enumerate(lines, 1)]
    rows = [(i, row) for i, row in rows if row["run"] and not row["run"].startswith("#")]
    return _table(rows, [], "accessions", name)


def _table(
    rows: Sequence[tuple[int, dict[str, Any]]], own: Sequence[Row], form: str, name: str
) -> pa.Table:
    seen: dict[str, int] = {}
    checked = []
    for at, row in rows:
        made = _checked(row, f"{name}, line {at}")
        if (before := seen.setdefault(made["run"], at)) != at:
            raise UsageError(f"{name}, line {at}: {made['run']} stands in line {before} already")
        checked.append(made)
    if not checked:
        raise UsageError(f"{name}: no run in it")
    table = pa.Table.from_pylist(checked, schema=FIELDS)
    for column in own[0] if own else ():
        if column not in FIELDS.names:
            table = table.append_column(column, pa.array([r[column] for r in own], pa.string()))
    return table.replace_schema_metadata({"format": form})


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    run = row["run"].strip()
    if not is_run(run):
        raise UsageError(
            f"{where}: {run[:60]!r} is not the accession of a run: SRR, ERR or DRR and digits"
        )
    layout = (row.get("layout") or "").strip().upper()
    if layout not in ("", "PAIRED", "SINGLE"):
        raise UsageError(f"{where}: layout {layout[:20]!r}: PAIRED or SINGLE")
    out: dict[str, Any] = {"run": run, "layout": layout or None, "organism": row.get("organism")}
    for key in ("spots", "sra_bytes", "fragment_length", "fragment_sd"):
        out[key] = _number(row.get(key), f"{where}: {key}")
    for key in ("spots", "sra_bytes"):
        out[key] = int(out[key]) if out[key] else None
    for key in ("fragment_length", "fragment_sd"):
        out[key] = out[key] or None
    out["urls"] = [_safe_url(url, where) for url in row.get("urls") or []]
    out["bytes"] = [int(_number(n, f"{where}: bytes") or 0) for n in row.get("bytes") or []]
    out["md5"] = [m.lower() for m in row.get("md5") or []]
    if any(not is_md5(m) for m in out["md5"]):
        raise UsageError(f"{where}: an MD5 has 32 hexadecimal digits")
    if any(len(out[key]) not in (0, len(out["urls"])) for key in ("bytes", "md5")):
        raise UsageError(f"{where}: as many sizes and checksums as files are expected")
    return out


def _number(value: Any, where: str) -> float | None:
    text = str(value or "").strip()
    if text in ("", "NA", "nan", "None"):
        return None
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{where} is {text[:20]!r}, not a number") from None
    if not 0 <= number < 1e18:
        raise UsageError(f"{where} is {text[:20]}, expected a number from 0")
    return number


def _many(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(";") if part.strip()]


def _url(text: str) -> str:
    """ENA lists addresses without a scheme; the same paths are there over HTTPS."""
    if "://" not in text:
        return f"https://{text}"
    return text.replace("ftp://", "https://", 1)


def _safe_url(url: str, where: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9/._~%+?&=,-]*", url):
        raise UsageError(f"{where}: {url[:80]!r} is not an http(s) address of a file")
    return url
