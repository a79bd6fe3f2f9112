"""``polytene genome``: plan, check-plan, suggest, run and composition."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from dask.utils import parse_bytes

from polytene.command import RunOptions, execute, finish, output_of, run_dir_of, run_options, say
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.genome.annotation.cli import COMMANDS as ANNOTATION
from polytene.genome.chunks import ChunkPlan, ChunkStrategy
from polytene.genome.commands import command_plan, run_commands
from polytene.genome.composition.compose import WINDOW, composition_plan, composition_run
from polytene.genome.composition.files import check_output, write_composition
from polytene.genome.genome import Genome
from polytene.genome.planning.check import check_plan as check
from polytene.genome.planning.genes import read_genes
from polytene.genome.planning.plan import BYTES_PER_BASE, CHUNKS_PER_WORKER, plan_chunks
from polytene.genome.planning.suggest import GB, suggest_chunk_parameters
from polytene.genome.tasks.cli import COMMANDS
from polytene.genome.view import figures
from polytene.watch.progress import printable

PATH = click.Path(path_type=Path)
POSITIVE = click.IntRange(1)
NOT_NEGATIVE = click.IntRange(0)


@click.group("genome")
def group() -> None:
    """Cut a genome into even chunks, run anything over them, put the pieces together."""


for _command in (*COMMANDS, *ANNOTATION):
    group.add_command(_command)


@group.command()
@click.option("--genome", required=True, type=PATH, help="FASTA file, plain or bgzipped.")
@click.option("--gff", type=PATH, help="GFF3 file of its genes, plain or gzipped.")
@click.option(
    "--strategy",
    type=click.Choice([s.value for s in ChunkStrategy]),
    default=ChunkStrategy.BALANCED.value,
    show_default=True,
    help="balanced: chunks that cost the same; the others cut as HelixForge does.",
)
@click.option("--n-chunks", type=POSITIVE, metavar="N", help="balanced: exactly N chunks.")
@click.option(
    "--workers", type=POSITIVE, metavar="N", help="balanced: --chunks-per-worker for each of N."
)
@click.option(
    "--chunks-per-worker",
    type=POSITIVE,
    default=CHUNKS_PER_WORKER,
    show_default=True,
    metavar="N",
    help="See --workers.",
)
@click.option(
    "--chunk-size", type=POSITIVE, metavar="N", help="size: bases; genes: genes of a chunk."
)
@click.option(
    "--min-chunk-size",
    type=NOT_NEGATIVE,
    metavar="BP",
    help="size, adaptive: nothing shorter is cut off; balanced: mean bases of a chunk, at least.",
)
@click.option(
    "--max-chunk-size",
    type=POSITIVE,
    metavar="BP",
    help="scaffold: cut longer sequences; balanced: no chunk has more bases.",
)
@click.option(
    "--target-chunks", type=POSITIVE, metavar="N", help="adaptive, balanced: about N chunks."
)
@click.option(
    "--cost",
    metavar="bp|genes|bp+genes|PATH",
    help="What is evened out; PATH: BED with a weight in the last column, or an earlier run.  "
    "[default: bp+genes with --gff, else bp]",
)
@click.option(
    "--cut",
    type=click.Choice(["safe", "owned"]),
    help="safe: never through a gene; owned: anywhere, a gene belongs to where it begins.  "
    "[default: owned for scaffold and size, else safe]",
)
@click.option(
    "--flank",
    type=NOT_NEGATIVE,
    default=0,
    show_default=True,
    metavar="BP",
    help="Bases beside each gene that are not cut off from it.",
)
@click.option(
    "--halo",
    type=NOT_NEGATIVE,
    default=0,
    show_default=True,
    metavar="BP",
    help="Bases to read on both sides of what a chunk owns.",
)
@click.option(
    "--memory-per-worker", metavar="SIZE", help='balanced: chunks that fit, such as "8GiB".'
)
@click.option(
    "--bytes-per-base",
    type=POSITIVE,
    default=BYTES_PER_BASE,
    show_default=True,
    metavar="N",
    help="What a base takes in memory; see --memory-per-worker.",
)
@click.option(
    "--slack",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="balanced: how much more than the least possible the dearest chunk may cost, so that "
    "more cuts find a run of N.",
)
@click.option(
    "--gene-type",
    "gene_types",
    multiple=True,
    metavar="TYPE",
    help="Type of feature that is a gene; repeatable.  [default: all that end in gene]",
)
@click.option("--gene-ids", is_flag=True, help="Write down the ids of each chunk's genes.")
@click.option("-o", "--output", required=True, type=PATH, help="JSON file of the plan.")
@click.option("--json", "as_json", is_flag=True, help="Print the quality as JSON.")
def plan(
    genome: Path,
    gff: Path | None,
    gene_types: tuple[str, ...],
    gene_ids: bool,
    output: Path,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Cut a genome into chunks that cover it and own each gene exactly once."""
    made = plan_chunks(genome, gff, gene_types=gene_types or None, with_gene_ids=gene_ids, **chosen)
    made.save(output)
    if as_json:
        click.echo(json.dumps({"output": str(output), "n_chunks": len(made), **made.quality()}))
    else:
        click.echo(printable(f"{made.describe()}\n\n{output}", keep="\n"))


@group.command("check-plan")
@click.argument("chunk_plan", type=PATH, metavar="PLAN")
@click.option("--genome", type=PATH, help="FASTA file.  [default: the one that the plan names]")
@click.option("--gff", type=PATH, help="GFF3 file of its genes.")
def check_plan(chunk_plan: Path, genome: Path | None, gff: Path | None) -> None:
    """Check that a plan fits a genome: all of it covered once, each gene with one owner.

    Exit code 3 if it does not.
    """
    made = ChunkPlan.load(chunk_plan)
    named = made.genome.path if made.genome else ""
    if genome is None and not named:
        raise UsageError("the plan does not name its genome: give --genome")
    opened = Genome(genome or named)
    found = check(made, opened, read_genes(opened, gff) if gff else None)
    for item in found:
        mark = f"NO: {item.problem}" if item.problem else "yes"
        click.echo(printable(f"{item.what}: {mark}"))
    for name, value in figures(made):
        click.echo(printable(f"{name}: {value}"))
    sys.exit(3 if any(item.problem for item in found) else 0)


@group.command()
@click.option("--genome", required=True, type=PATH, help="FASTA file.")
@click.option("--gff", type=PATH, help="GFF3 file of its genes.")
@click.option(
    "--memory",
    required=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="GIB",
    help="Memory of all workers together, in GiB.",
)
@click.option("--workers", required=True, type=POSITIVE, metavar="N", help="Workers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def suggest(genome: Path, gff: Path | None, memory: float, workers: int, as_json: bool) -> None:
    """Suggest how to cut a genome for a machine, as a command to type."""
    opened = Genome(genome)
    n_genes = len(read_genes(opened, gff)) if gff else None
    found = suggest_chunk_parameters(opened.total_bases, n_genes, memory, workers)
    if as_json:
        click.echo(json.dumps(found))
        return
    each = f"{memory * GB / workers / (1 << 20):.0f}MiB"
    genes = f" --gff {gff}" if gff else ""
    command = (
        f"polytene genome plan --genome {genome}{genes} --n-chunks {found['n_chunks']} "
        f"--memory-per-worker {each} -o chunks.json"
    )
    click.echo(printable(f"{found['rationale']}\n\n{command}", keep="\n"))


@group.command("run")
@click.option("--chunk-plan", required=True, type=PATH, help="Plan of `polytene genome plan`.")
@click.option(
    "--command",
    required=True,
    help="Command with placeholders such as {seqid}; it writes into {output_dir}, under names "
    "with {chunk_id}.",
)
@click.option("--output-dir", required=True, type=PATH, help="Folder of the outputs.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=PATH,
    help="File that the command reads, so that its change is seen; repeatable.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End the commands of a chunk after this time.",
)
@click.option("--memory", metavar="SIZE", help="Memory that a command needs, such as 4GiB.")
@run_options
def run(
    options: RunOptions,
    chunk_plan: Path,
    command: str,
    output_dir: Path,
    inputs: tuple[Path, ...],
    timeout: float | None,
    memory: str | None,
) -> None:
    """Run a command on each chunk, on the cluster.

    A command that fails, hangs or takes too much memory costs its own chunk alone. Outputs appear
    in the folder when all commands are done; the same command again resumes.
    """
    made = ChunkPlan.load(chunk_plan)
    units = command_plan(made, command, chunk_plan_path=chunk_plan, inputs=inputs)
    needs = float(parse_bytes(memory)) if memory else None

    run_dir = run_dir_of(options, output_dir)
    output_dir = output_of(options, units, output_dir, folder=True)

    def runner(plan: Plan[Any], **engine: Any) -> Outcome:
        return run_commands(plan, made, output_dir, timeout=timeout, memory=needs, **engine)

    outcome = execute(options, units, runner, run_dir)
    if outcome is not None:
        say(options, f"{outcome.summary()}\n{output_dir}: {len(outcome.result):,} outputs")
        finish(options, outcome, output_dir=str(output_dir), outputs=outcome.result)


@group.command()
@click.option("--genome", type=PATH, help="FASTA file, where there is no --chunk-plan.")
@click.option("--chunk-plan", type=PATH, help="Plan of `polytene genome plan`.")
@click.option(
    "-o", "--output", required=True, type=PATH, help=".nc, .zarr, .parquet, .tsv or .csv file."
)
@click.option(
    "--by",
    type=click.Choice(["window", "sequence", "chunk"]),
    default="window",
    show_default=True,
    help="Rows of the result.",
)
@click.option(
    "--window", type=POSITIVE, default=WINDOW, show_default=True, metavar="BP", help="See --by."
)
@click.option("--kmer", "k", type=click.IntRange(1, 12), metavar="K", help="Also count k-mers.")
@click.option("--no-cpg", is_flag=True, help="Do not count C before G.")
@click.option(
    "--reader",
    type=click.Choice(["memmap", "pread"]),
    default="memmap",
    show_default=True,
    help="pread: for network file systems.",
)
@run_options
def composition(
    options: RunOptions,
    genome: Path | None,
    chunk_plan: Path | None,
    output: Path,
    k: int | None,
    no_cpg: bool,
    **chosen: Any,
) -> None:
    """Count bases, GC, N, soft-masked bases, CpG and k-mers along a genome.

    The counts do not depend on the chunks. The same command again resumes.
    """
    if (genome is None) == (chunk_plan is None):
        raise UsageError("give --genome or --chunk-plan")
    check_output(output)
    source = ChunkPlan.load(chunk_plan) if chunk_plan else Genome(genome or "")
    units = composition_plan(source, k=k or 0, cpg=not no_cpg, **chosen)
    outcome = execute(options, units, composition_run, run_dir_of(options, output))
    if outcome is not None:
        output = output_of(options, units, output)
        result = outcome.result
        write_composition(result, output)
        known = int(sum(result[x].sum() for x in "acgt"))
        gc = int(result["g"].sum() + result["c"].sum()) / known if known else float("nan")
        say(options, f"{result.sizes['row']:,} {chosen['by']}s, GC {gc:.4f}; {output}")
        finish(options, outcome, output=str(output), rows=result.sizes["row"], gc=gc)
