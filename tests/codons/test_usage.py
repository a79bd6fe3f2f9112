"""Usage tables come back from their files as they were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import xarray as xr

from polytene.codons import to_long, to_wide, write
from polytene.codons.measures.usage import group_column, read_usage, recode
from polytene.exceptions import UsageError
from polytene.testing import write_genbank

BYS = ["none", "seq_id", "organelle", "organism", "transl_table", "taxid", "gene"]


@pytest.fixture
def genbank(ingest, tmp_path):
    return ingest(write_genbank(tmp_path / "x.gb", 6))[0]


WHOLE = [by for by in BYS if by != "gene"]  # whole sequences have no gene


@pytest.mark.parametrize(
    ("mode", "by"), [*(("cds", by) for by in BYS), *(("frame", by) for by in WHOLE)]
)
def test_parquet_comes_back_as_it_was_with_its_attributes(genbank, count, tmp_path, mode, by):
    made = count(genbank, by=by, mode=mode).result
    write(to_wide(made), tmp_path / "u.parquet", made.attrs)
    xr.testing.assert_identical(read_usage(tmp_path / "u.parquet"), made)
    if by == "transl_table":
        return  # its wide table has one column for the groups and for their codes
    write(to_wide(recode(made, 11), with_rscu=True), tmp_path / "r.parquet", made.attrs)
    xr.testing.assert_equal(
        read_usage(tmp_path / "r.parquet")["count"].drop_vars(["amino_acid", "transl_table"]),
        made["count"].drop_vars(["amino_acid", "transl_table"]),
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("by", ["none", "organism", "gene"])
def test_text_comes_back_with_its_groups_as_text(genbank, count, tmp_path, by, suffix):
    made = count(genbank, by=by, mode="cds").result
    write(to_wide(made), tmp_path / f"u.{suffix}", made.attrs)
    read = read_usage(tmp_path / f"u.{suffix}")
    assert read.attrs == {"by": by}
    xr.testing.assert_identical(read.assign_attrs(made.attrs), made)


def test_groups_that_look_like_numbers_and_that_are_missing_stay_what_they_are(
    parquet, count, tmp_path
):
    path = parquet({"sequence": ["ATGTAA"] * 3, "batch": ["001", "x", ""]})
    made = count(path, by="batch", genetic_code=11).result
    write(to_wide(made), tmp_path / "u.csv", made.attrs)
    text = (tmp_path / "u.csv").read_text()
    (tmp_path / "u.csv").write_text(text.replace('"x",', ",").replace("\nx,", "\n,"))
    read = read_usage(tmp_path / "u.csv")
    assert group_column(read).to_pylist() == ["", "001", None]
    assert read["count"].values.tolist() == made["count"].values.tolist()


def test_recoding_changes_the_meaning_of_codons_and_not_their_counts(genbank, count):
    made = count(genbank, by="organism", mode="cds").result
    read = recode(made, 5)
    assert recode(made, None) is made
    assert set(read["transl_table"].values.tolist()) == {5}
    assert set(read["amino_acid"].sel(codon="AGA").values.tolist()) == {"S"}
    assert np.array_equal(read["count"].values, made["count"].values)
    assert read.attrs["genetic_code"] == 5
    with pytest.raises(UsageError, match="no genetic code 7"):
        recode(made, 7)


def test_files_that_are_no_usage_table_say_what_to_do(genbank, count, tmp_path):
    made = count(genbank, by="organism", mode="cds").result
    wide = to_wide(made)
    write(to_long(made), tmp_path / "long.parquet", made.attrs)
    write(to_long(made), tmp_path / "long.csv", made.attrs)
    write(wide.drop_columns("GGG"), tmp_path / "short.parquet", made.attrs)
    write(wide.drop_columns("organism"), tmp_path / "unnamed.parquet", made.attrs)
    write(
        wide.set_column(wide.column_names.index("AAA"), "AAA", pa.array([0] * len(wide))),
        tmp_path / "changed.parquet",
        made.attrs,
    )
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "long.parquet").read_bytes()[:200])
    (tmp_path / "empty.csv").touch()
    for name, words in {
        "long.parquet": "leave --format out",
        "long.csv": "leave --format out",
        "short.parquet": "no column 'GGG'",
        "unnamed.parquet": "column 'organism', are missing",
        "changed.parquet": "do not add up",
        "torn.parquet": "polytene codons count",
        "empty.csv": "polytene codons count",
        "absent.parquet": "no such file",
    }.items():
        with pytest.raises(UsageError, match=words):
            read_usage(tmp_path / name)


def test_a_parquet_table_of_another_program_is_read_by_its_columns(genbank, count, tmp_path):
    made = count(genbank, by="organism", mode="cds").result
    pq.write_table(to_wide(made), tmp_path / "u.parquet")
    assert read_usage(tmp_path / "u.parquet").attrs == {"by": "organism"}
