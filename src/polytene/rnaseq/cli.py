"""``polytene rnaseq``: from lists of runs to an expression matrix."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import dask
import xarray as xr

from polytene import rnaseq
from polytene.command import RunOptions, execute, finish, run_options, say
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.rnaseq.options import patience_of, plan_options
from polytene.rnaseq.plan import SamplePlan
from polytene.rnaseq.report import REPORT, summary_table
from polytene.rnaseq.show import summary
from polytene.watch.tables import show

WORK = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("work"),
    show_default=True,
    help="Folder of the work.",
)


@click.group("rnaseq")
def group() -> None:
    """SRA sample lists to an expression matrix."""


@group.command("index")
@click.argument("fasta", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Where the index goes."
)
@click.option(
    "--quantifier",
    type=click.Choice(["kallisto", "salmon"]),
    default="kallisto",
    show_default=True,
    help="The program that it is for.",
)
@click.option("--program", metavar="PATH", help="Where the program is, if not on PATH.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads.")
def index(fasta: Path, output: Path, quantifier: str, program: str | None, threads: int) -> None:
    """Make the index of the transcripts in FASTA, unless it is there."""
    about = {"quantifier": quantifier, "program": program, "threads": threads}
    made = rnaseq.index(fasta, output, **about)  # type: ignore[arg-type]
    click.echo(f"{made.path}: {made.nbytes:,} bytes, {made.quantifier} {made.version}")


@group.command("run")
@click.argument("samples", type=click.Path())
@plan_options
@run_options
def run_command(options: RunOptions, samples: str, **chosen: Any) -> None:
    """Download and quantify the runs of SAMPLES, each proven whole before it counts as done.

    SAMPLES is a list of accessions, an amalgkit metadata.tsv, a RunInfo CSV, an ENA report, a
    samplesheet of nf-core/fetchngs, the list of `polytene metadata`, or a single accession. The
    same command again resumes.
    """
    plan = _plan(samples, chosen)
    if not options.dry_run:
        say(options, plan.describe())
    threads = _threads(options, plan)

    def runner(plan: Plan[Any], **engine: Any) -> Any:
        return rnaseq.run(plan, **engine)  # type: ignore[arg-type]

    with dask.config.set({"polytene.cluster.threads": threads}):
        outcome = execute(options, plan, runner, Path(plan.settings.out))
    if outcome is None:
        return
    report = json.loads((plan.settings.folder / REPORT).read_text())
    if not options.as_json:
        show(summary(summary_table(report)))
    say(options, f"{outcome.summary()}; report: {plan.settings.folder / REPORT}")
    finish(options, outcome, report=report)


def _plan(samples: str, chosen: dict[str, Any]) -> SamplePlan:
    sources = chosen.pop("source")
    caps = {"sra": chosen.pop("sra_downloads"), "ena": chosen.pop("ena_downloads")}
    given: dict[str, Any] = {
        "sources": [s.strip() for s in sources.split(",") if s.strip()] if sources else None,
        "source_caps": {k: v for k, v in caps.items() if v},
        "patience": patience_of(chosen),
    }
    return rnaseq.plan(samples, **given, **chosen)


def _threads(options: RunOptions, plan: SamplePlan) -> int:
    """Return threads per worker: downloads wait for the network, and need no core of their own."""
    from polytene.clusters.local import default_workers

    settings = plan.settings
    workers = options.workers or default_workers()
    return max(1, -(-(settings.downloads + settings.quants) // workers))


@group.command("merge")
@WORK
@click.option("--allow-missing", is_flag=True, help="Merge without the runs that are not done.")
@click.option(
    "--tx2gene",
    type=click.Path(path_type=Path),
    help="Also sum per gene: a table of transcript and gene.",
)
@click.option(
    "--counts-from-abundance",
    type=click.Choice(["no", "scaledTPM", "lengthScaledTPM"]),
    default="no",
    show_default=True,
    help="How counts of genes are made, as in tximport.",
)
@run_options
def merge(
    options: RunOptions,
    out: Path,
    allow_missing: bool,
    tx2gene: Path | None,
    counts_from_abundance: str,
) -> None:
    """Merge the proven results below --out into one matrix.

    Writes merged/expression.zarr and .parquet, merged/merged_abundance.tsv (TPM), and per species
    merge/SPECIES/SPECIES_{est_counts,eff_length,tpm}.tsv.
    """
    if options.run_dir or options.limit or options.dry_run:
        raise UsageError("--run-dir, --limit and --dry-run are not for merge")
    plan: Plan[Any] = Plan("rnaseq-merge", [])
    made: list[xr.Dataset] = []

    def runner(plan: Plan[Any], run_dir: Path, **engine: Any) -> None:
        keys = ("client", "on_event", "stop")
        own = {k: engine[k] for k in keys}
        made.append(rnaseq.merge(out, allow_missing=allow_missing, **own))

    execute(options, plan, runner, out / "merged" / "run")  # type: ignore[arg-type]
    matrix = made[0]
    if tx2gene:
        how: Any = counts_from_abundance
        sums = rnaseq.gene_sums(matrix, tx2gene, counts_from_abundance=how)
        write_genes(sums, out / "merged")
    sizes = dict(matrix.sizes)
    if options.as_json:
        click.echo(json.dumps({**sizes, "missing": list(matrix.attrs["missing"])}))
    else:
        click.echo(f"{sizes['target_id']:,} transcripts x {sizes['run']:,} runs: {out / 'merged'}")


def write_genes(sums: xr.Dataset, folder: Path) -> None:
    """Write the sums per gene as tables."""
    for name in ("counts", "tpm", "length"):
        frame = sums[name].to_pandas()
        frame.columns.name = None
        frame.to_csv(folder / f"gene_{name}.tsv", sep="\t", index_label="gene_id")


@group.command("status")
@WORK
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(out: Path, as_json: bool) -> None:
    """Say which runs have a proven result."""
    found = rnaseq.status(out)
    if as_json:
        click.echo(json.dumps(vars(found)))
        return
    click.echo(str(found))
    for word in ("missing", "partial"):
        for run in getattr(found, word)[:20]:
            click.echo(f"{word}: {run}")


@group.command("verify")
@WORK
@click.option("--deep", is_flag=True, help="Also read each table again.")
def verify(out: Path, deep: bool) -> None:
    """Check that results are whole: checksums, with --deep every row."""
    problems = rnaseq.verify(out, deep=deep)
    for problem in problems:
        click.echo(problem)
    click.echo(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


@group.command("adopt")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("samples", type=click.Path())
@plan_options
def adopt(folder: Path, samples: str, **chosen: Any) -> None:
    """Take over the finished results in FOLDER (quant/ of an earlier script) for SAMPLES.

    What does not prove to be whole is named, and quantified by the next `polytene rnaseq run`.
    """
    found = rnaseq.adopt(folder, _plan(samples, chosen))
    for run, why in found.refused.items():
        click.echo(f"{run}: {why}")
    click.echo(f"{len(found.taken):,} taken over, {len(found.refused):,} refused")


@group.command("metadata")
@click.argument("samples", type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="TSV; without it a table is printed."
)
@click.option("--ena-url", default=None, help="Another address of the ENA.")
def metadata(samples: str, output: Path | None, ena_url: str | None) -> None:
    """Show what is known of the runs of SAMPLES: layout, reads, bytes, files."""
    from polytene.core.files import write_bytes
    from polytene.rnaseq import ena

    table, problems = ena.resolve(rnaseq.read_samples(samples), ena_url or ena.BASE)
    for problem in problems:
        click.echo(problem, err=True)
    rows = [
        {
            "run": row["run"],
            "layout": row["layout"] or "",
            "spots": row["spots"],
            "bytes": sum(row["bytes"] or []),
            "organism": row["organism"] or "",
            "urls": ";".join(row["urls"]),
            "md5": ";".join(row["md5"]),
        }
        for row in table.to_pylist()
    ]
    text = "\t".join(rows[0]) + "\n"
    text += "".join("\t".join("" if v is None else str(v) for v in r.values()) + "\n" for r in rows)
    if output:
        write_bytes(output, text.encode())
    else:
        click.echo(text, nl=False)
