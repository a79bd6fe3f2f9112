"""What the European Nucleotide Archive says of runs: files, sizes, checksums, reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from polytene.exceptions import UsageError
from polytene.formats.remote import DownloadFailed, NotThere, Patience, fetch_text
from polytene.rnaseq.samples import FIELDS, parse_samples

BASE = "https://www.ebi.ac.uk"
PORTAL = "/ena/portal/api/filereport"
COLUMNS = (
    "run_accession,fastq_ftp,fastq_md5,fastq_bytes,read_count,library_layout,nominal_length,"
    "nominal_sdev,scientific_name,sra_bytes"
)
AT_ONCE = 5


def file_report(run: str, base: str = BASE, patience: Patience | None = None) -> dict[str, Any]:
    """Return the fields of a run as the ENA has them; ``{}`` if it does not know the run.

    Raises
    ------
    DownloadFailed
        If it does not answer, or answers something else than a report.
    """
    params = {"accession": run, "result": "read_run", "fields": COLUMNS, "format": "tsv"}
    try:
        text = fetch_text(base.rstrip("/") + PORTAL, params, patience)
    except NotThere:
        return {}
    if not text.startswith("run_accession"):
        raise DownloadFailed("not-a-report", f"{base}: {text[:60]!r} came instead of a file report")
    if len(text.strip().splitlines()) < 2:
        return {}
    try:
        rows = parse_samples(_with_scheme(text, base), f"the ENA's report of {run}").to_pylist()
    except UsageError as error:
        raise DownloadFailed("not-a-report", str(error)) from None
    found: dict[str, Any] = next((row for row in rows if row["run"] == run), {})
    return found


def _with_scheme(text: str, base: str) -> str:
    """On a loopback archive files are served without TLS, as its portal is."""
    if not base.startswith("http://"):
        return text
    head, *rows = text.splitlines()
    at = head.split("\t").index("fastq_ftp")
    out = [head]
    for row in rows:
        cells = row.split("\t")
        cells[at] = ";".join(f"http://{u}" for u in cells[at].split(";") if u)
        out.append("\t".join(cells))
    return "\n".join(out)


def resolve(
    samples: pa.Table, base: str = BASE, patience: Patience | None = None
) -> tuple[pa.Table, list[str]]:
    """Complete a list with what the ENA says of the runs whose files it does not name.

    Returns
    -------
    table, problems
        The list, and for each run that could not be looked up a sentence that says why.
    """
    rows = samples.to_pylist()
    missing = [row for row in rows if not row["urls"]]
    problems: list[str] = []

    def look(row: dict[str, Any]) -> None:
        try:
            report = file_report(row["run"], base, patience)
        except DownloadFailed as error:
            problems.append(f"{row['run']}: {error}")
            return
        for name in FIELDS.names:
            if not row[name] and report.get(name):
                row[name] = report[name]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(look, missing))
    return pa.Table.from_pylist(rows, schema=samples.schema), sorted(problems)
