"""``polytene codons rscu|enc|gc3s|cai|cut|compare``: what reads a usage table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import xarray as xr

from polytene.codons.code import CODONS
from polytene.codons.measures import adaptation
from polytene.codons.measures import enc as effective
from polytene.codons.measures.compare import compare as compare_tables
from polytene.codons.measures.compare import largest, summary
from polytene.codons.measures.cut import read_cut, to_cut
from polytene.codons.measures.usage import group_column, read_usage, recode
from polytene.codons.result import FRAME_WARNING, OF_FRAMES, to_long, write
from polytene.codons.result import rscu as rscu_of
from polytene.codons.show import long_table
from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.watch.progress import printable
from polytene.watch.tables import show

FILE = click.Path(path_type=Path)

usage_argument = click.argument("usage", type=FILE, metavar="USAGE")
code_option = click.option(
    "--genetic-code",
    type=click.IntRange(1, 33),
    metavar="N",
    help="NCBI code of all groups.  [default: what the table says, never a silent 1]",
)
output_option = click.option(
    "-o",
    "--output",
    type=FILE,
    help="Parquet file; .csv and .tsv write text. Without it the table is printed.",
)


@click.command()
@usage_argument
@output_option
@code_option
@click.option(
    "--format",
    "layout",
    type=click.Choice(["wide", "long"]),
    help="wide: a row per group; long: a row per group and codon.  [default: wide, printed long]",
)
def rscu(usage: Path, output: Path | None, genetic_code: int | None, layout: str | None) -> None:
    """Relative synonymous codon usage: a codon's count over the mean of its family.

    USAGE is a table of `polytene codons count -o`, or an EMBOSS .cut file.
    """
    table = read_table(usage, genetic_code)
    values = rscu_of(table)
    if (layout or ("wide" if output else "long")) == "long":
        _deliver(to_long(table, with_rscu=True, skip_stops=True), output, table, "rscu")
        return
    columns = {codon: _nullable(values.values[:, i]) for i, codon in enumerate(CODONS)}
    _deliver(pa.table({**_groups(table), **columns}), output, table, "rscu")


@click.command()
@usage_argument
@output_option
@code_option
def enc(usage: Path, output: Path | None, genetic_code: int | None) -> None:
    """Effective number of codons (Wright 1990), as codonw and EMBOSS chips have it.

    USAGE is a table of `polytene codons count -o`, or an EMBOSS .cut file.
    """
    table = read_table(usage, genetic_code)
    _deliver(_measured(table, effective.enc(table)), output, table, "enc")


@click.command()
@usage_argument
@output_option
@code_option
def gc3s(usage: Path, output: Path | None, genetic_code: int | None) -> None:
    """Share of G and C at third positions of codons with synonyms, as codonw has it.

    USAGE is a table of `polytene codons count -o`, or an EMBOSS .cut file.
    """
    table = read_table(usage, genetic_code)
    _deliver(_measured(table, effective.gc3s(table)), output, table, "gc3s")


@click.command()
@usage_argument
@click.option(
    "--reference",
    required=True,
    type=FILE,
    metavar="FILE",
    help="Usage of highly expressed genes: a usage table, or an EMBOSS .cut file.",
)
@click.option(
    "--reference-group", metavar="GROUP", help="Which group of it, where it has more than one."
)
@output_option
@code_option
def cai(
    usage: Path,
    reference: Path,
    reference_group: str | None,
    output: Path | None,
    genetic_code: int | None,
) -> None:
    """Codon adaptation index (Sharp and Li 1987) against a reference.

    USAGE is a table of `polytene codons count -o`, or an EMBOSS .cut file. The genetic code, with
    --genetic-code, is that of both.
    """
    table = read_table(usage, genetic_code)
    judge = one_group(read_table(reference, genetic_code), reference_group, "--reference-group")
    found = adaptation.cai(table, judge, genetic_code)
    _deliver(_measured(table, found), output, table, "cai")


@click.command()
@usage_argument
@click.option("--group", metavar="GROUP", help="Which group, where there is more than one.")
@click.option("-o", "--output", type=FILE, help="File to write, such as Emine.cut; else printed.")
@code_option
def cut(usage: Path, group: str | None, output: Path | None, genetic_code: int | None) -> None:
    """Write the usage of one group as a codon usage table that EMBOSS reads.

    USAGE is a table of `polytene codons count -o`. With its folder as EMBOSS_DATA or the working
    directory, EMBOSS programs take the file as -cfile.
    """
    table = one_group(read_table(usage, genetic_code), group, "--group")
    text = to_cut(table, output)
    click.echo(f"{output}: {table['group'].values[0]}" if output else text, nl=bool(output))


@click.command()
@click.argument("a", type=FILE)
@click.argument("b", type=FILE)
@output_option
@code_option
@click.option(
    "--top",
    type=click.IntRange(1, 64),
    default=10,
    show_default=True,
    metavar="N",
    help="Print so many codons of each group.",
)
@click.option("--html", type=FILE, help="Draw the differences into a page that needs no network.")
def compare(
    a: Path, b: Path, output: Path | None, genetic_code: int | None, top: int, html: Path | None
) -> None:
    """Compare two usage tables: how alike they are, and which codons differ most.

    A and B are tables of `polytene codons count -o`, or EMBOSS .cut files. Groups of one name are
    compared; a table with one group is compared with each group of the other. With -o all 64
    codons of each group are written.
    """
    ours, theirs = read_table(a, genetic_code), read_table(b, genetic_code)
    found = compare_tables(ours, theirs)
    show(long_table(summary(found)))
    if output is None:
        click.echo()
        show(long_table(largest(found, top)))
    else:
        _deliver(largest(found, 64), output, ours, "compare")
    if html is not None:
        from polytene.codons.measures.compare_map import difference_map

        write_bytes(html, difference_map(found, a.stem, b.stem).encode())
        click.echo(printable(f"{html}: the differences as a picture"))


COMMANDS = (rscu, enc, gc3s, cai, cut, compare)


def read_table(path: Path, genetic_code: int | None = None) -> xr.Dataset:
    """Read a usage table or, by its suffix, an EMBOSS ``.cut`` file."""
    table = read_cut(path) if path.suffix == ".cut" else read_usage(path)
    return recode(table, genetic_code)


def one_group(table: xr.Dataset, name: str | None, option: str) -> xr.Dataset:
    """Return the group of a name, or the only one."""
    names = table["group"].values.tolist()
    if name is None and len(names) != 1:
        raise UsageError(f"the table has {len(names):,} groups, such as {names[:3]}: give {option}")
    at = [i for i, found in enumerate(names) if name is None or str(found) == name]
    if not at:
        raise UsageError(f"{option} {name}: there is no such group, only such as {names[:3]}")
    return table.isel(group=at[:1])


def _groups(table: xr.Dataset) -> dict[str, Any]:
    by = table.attrs["by"]
    return {} if by == "none" else {by: group_column(table)}


def _measured(table: xr.Dataset, values: xr.DataArray) -> pa.Table:
    """Return a row per group: the group, its codons, and the measure."""
    columns = {"n_codons": table["n_codons"].values, str(values.name): _nullable(values.values)}
    return pa.table({**_groups(table), **columns})


def _nullable(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _deliver(table: pa.Table, output: Path | None, usage: xr.Dataset, measure: str) -> None:
    if output is None:
        show(long_table(table))
    else:
        write(table, output, {**usage.attrs, "measure": measure})
        click.echo(printable(f"{output}: {table.num_rows:,} rows"))
    if usage.attrs.get("mode") in OF_FRAMES:
        click.echo(f"note: {FRAME_WARNING}; count with --mode cds for those", err=True)
