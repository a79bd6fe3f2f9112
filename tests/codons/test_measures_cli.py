"""The commands that read usage tables, and ``pairs``: what they print, write and refuse."""

from __future__ import annotations

import json

import click
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from polytene.cli import Rooms
from polytene.codons import to_wide, write
from polytene.codons.measures.adaptation import cai
from polytene.codons.measures.cli import COMMANDS
from polytene.codons.measures.enc import enc, gc3s
from polytene.codons.measures.usage import read_usage
from polytene.codons.pairs.cli import pairs
from polytene.codons.result import rscu
from polytene.testing import write_genbank, write_set

QUIET = ("--no-progress", "--workers", "1")


@pytest.fixture
def call():
    group = Rooms("codons", commands={c.name: c for c in (*COMMANDS, pairs)})

    def run(*arguments, code=0):
        done = CliRunner().invoke(group, [str(a) for a in arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done

    return run


@pytest.fixture
def usage(ingest, count, tmp_path):
    """A table by organism, each with its own code, and one without codes."""
    made = count(ingest(write_genbank(tmp_path / "x.gb", 6))[0], by="organism", mode="cds").result
    write(to_wide(made), tmp_path / "usage.parquet", made.attrs)
    whole = count(write_set(sequences=10)).result
    write(to_wide(whole), tmp_path / "whole.parquet", whole.attrs)
    return made, tmp_path / "usage.parquet", tmp_path / "whole.parquet"


@pytest.mark.parametrize(("name", "measure"), [("enc", enc), ("gc3s", gc3s)])
def test_a_measure_is_printed_and_written_with_its_groups(call, usage, tmp_path, name, measure):
    made, table, _ = usage
    assert "Generatus exempli 1" in call(name, table).output
    for suffix in ("parquet", "csv"):
        call(name, table, "-o", tmp_path / f"out.{suffix}")
    expected = {
        "organism": made["group"].values.tolist(),
        "n_codons": made["n_codons"].values.tolist(),
        name: measure(made).values.tolist(),
    }
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == expected
    text = pyarrow.csv.read_csv(tmp_path / "out.csv").to_pydict()
    assert text["organism"] == expected["organism"]
    assert text[name] == pytest.approx(expected[name])
    about = json.loads(pq.read_metadata(tmp_path / "out.parquet").metadata[b"polytene"])
    assert (about["measure"], about["mode"], about["by"]) == (name, "cds", "organism")


def test_rscu_is_wide_in_files_and_long_in_print(call, usage, tmp_path):
    made, table, _ = usage
    call("rscu", table, "-o", tmp_path / "w.parquet")
    wide = pq.read_table(tmp_path / "w.parquet")
    assert wide.shape == (6, 65)
    assert wide.column("CTG").to_pylist() == rscu(made).sel(codon="CTG").values.tolist()
    call("rscu", table, "-o", tmp_path / "l.parquet", "--format", "long")
    assert pq.read_table(tmp_path / "l.parquet").column_names == [
        "organism", "codon", "aa", "count", "freq", "rscu"
    ]  # fmt: skip
    assert "CTG" in call("rscu", table).output


def test_cai_takes_a_table_or_a_cut_file_as_reference(call, usage, tmp_path, shared_data):
    made, table, whole = usage
    cut = shared_data / "codons" / "tables" / "Eyeast_mit.cut"
    call("cai", table, "--reference", cut, "-o", tmp_path / "c.parquet")
    found = pq.read_table(tmp_path / "c.parquet").column("cai").to_pylist()
    assert found == cai(made, cut).values.tolist()
    refused = call("cai", table, "--reference", table, "--genetic-code", 5, code=2)
    assert "--reference-group" in refused.output
    more = ("--genetic-code", 5, "--reference-group", "Generatus exempli 2")
    assert "cai" in call("cai", table, "--reference", table, *more).output
    assert "none" not in call("cai", table, "--reference", whole, *more[:2]).output


def test_cut_writes_one_group(call, usage, tmp_path):
    _, table, _ = usage
    assert "give --group" in call("cut", table, code=2).output
    call("cut", table, "--group", "Generatus exempli 3", "-o", tmp_path / "x.cut")
    read = tmp_path / "x.cut"
    assert "#Species: Generatus exempli 3" in read.read_text()
    printed = call("cut", table, "--group", "Generatus exempli 3").output
    assert printed == read.read_text()
    assert "61" not in call("enc", read, "--genetic-code", 2).output.splitlines()[0]
    assert "no such group" in call("cut", table, "--group", "x", code=2).output


def test_compare_prints_writes_and_draws(call, usage, tmp_path):
    _, table, whole = usage
    page = tmp_path / "c.html"
    done = call("compare", table, whole, "--genetic-code", 11, "--html", page, "--top", 2)
    assert "rscu_distance" in done.output
    assert "red is more in usage, blue more in whole" in page.read_text()
    call("compare", table, whole, "--genetic-code", 11, "-o", tmp_path / "c.parquet")
    assert pq.read_table(tmp_path / "c.parquet").num_rows == 6 * 64


@pytest.mark.parametrize(
    "arguments",
    [("rscu",), ("enc",), ("gc3s",), ("cut",), ("cai", "--reference", "{}"), ("compare", "{}")],
)
def test_no_command_takes_an_unknown_code_for_1(call, usage, arguments):
    _, _, whole = usage
    name, *more = (a.format(whole) for a in arguments)
    done = call(name, whole, *more, code=2)
    assert "--genetic-code" in done.output
    done = call(name, whole, *more, "--genetic-code", 11)
    if name not in ("cut", "compare"):
        assert "not codon usage" in done.stderr


def test_what_is_no_usage_table_is_refused(call, tmp_path):
    assert "no such file" in call("enc", tmp_path / "absent.parquet", code=2).output
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "polytene codons count" in call("enc", tmp_path / "x.csv", code=2).output


def test_pairs_are_written_and_scored(call, ingest, tmp_path):
    made, _ = ingest(write_genbank(tmp_path / "x.gb", 6))
    out = tmp_path / "p.parquet"
    call("pairs", made, "--by", "transl_table", "-o", out, *QUIET)
    table = pq.read_table(out)
    assert table.column_names == ["transl_table", "first", "second", "aa", "count", "cps"]
    assert set(table.column("transl_table").to_pylist()) == {2, 5, 11}
    done = call("pairs", made, "--by", "organelle", "--top", 3, "--genetic-code", 5, *QUIET)
    assert len([line for line in done.output.splitlines() if "mitochondrion" in line]) == 3
    asked = ("--json", "--genetic-code", 5, *QUIET)
    found = json.loads(call("pairs", made, *asked).stdout.splitlines()[-1])
    assert found["n_pairs"] == sum(row["count"] for row in found["table"])


def test_pairs_without_a_code_keep_what_was_counted(call, tmp_path):
    made, out = write_set(sequences=10), tmp_path / "p.parquet"
    done = call("pairs", made, "-o", out, *QUIET, code=2)
    assert "the pairs are counted" in done.output
    assert not out.exists()
    assert "are counted" not in call("pairs", made, *QUIET, code=2).output
    done = call("pairs", made, "-o", out, "--genetic-code", 11, *QUIET, "--json")
    assert json.loads(done.stdout.splitlines()[-1])["resumed"] == 1
    assert pq.read_table(out).column("cps").null_count < pq.read_table(out).num_rows


def test_every_command_has_help(call):
    for command in (*COMMANDS, pairs):
        assert isinstance(command, click.Command)
        assert (
            "USAGE" in (text := call(command.name, "--help").output)
            or "A B" in text
            or "SET" in text
        )


def test_a_table_made_by_count_is_read(usage):
    made, table, _ = usage
    assert read_usage(table).identical(made)
