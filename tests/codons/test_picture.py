"""The heat map: whole in one file, its numbers right, and no id of a set is code in it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from polytene import codons
from polytene.codons.picture import MOST, usage_map
from polytene.exceptions import UsageError
from polytene.testing import write_set

EVIL = "</script><script>alert(1)</script>"


def data_of(page: str) -> dict:
    """Return the columns of the page's only data source."""
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
    models = json.dumps(json.loads(text.replace("&quot;", '"').replace("&lt;", "<")
                                   .replace("&gt;", ">").replace("&amp;", "&")))  # fmt: skip
    found = re.search(r'"name": "ColumnDataSource".*?"data": (\{.*)', models)[1]
    return json.JSONDecoder().raw_decode(found)[0]


@pytest.fixture
def result(tmp_path, count):
    return count(write_set(tmp_path / "s", sequences=3), by="seq_id", genetic_code=2).result


def test_the_page_needs_no_network(result):
    page = usage_map(result, "title")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert not re.search(r'<(?:script|link)[^>]+(?:src|href)="http', page)


def test_every_group_and_codon_is_a_cell(result):
    page = usage_map(result, "title")
    for name in result.group.values:
        assert name in page
    entries = dict(data_of(page)["entries"])
    assert len(entries["codon"]) == len(entries["row"]) == 3 * 64
    assert set(entries["codon"]) == set(codons.CODONS)
    assert sum(entries["count"]) == int(result["count"].sum())


def test_ids_and_titles_are_text(tmp_path, count, parquet):
    path = parquet({"seq_id": [EVIL, "b"], "sequence": ["ATGAAATTT", "CCC"]})
    page = usage_map(count(path, by="seq_id", genetic_code=1).result, EVIL)
    assert EVIL not in page


def test_long_tables_are_cut(count, parquet):
    path = parquet({"seq_id": [f"s{i}" for i in range(MOST + 5)], "sequence": ["ATG"] * (MOST + 5)})
    page = usage_map(count(path, by="seq_id", genetic_code=1).result, "t")
    assert len(dict(data_of(page)["entries"])["row"]) == MOST * 64


def test_groups_without_a_code_are_refused(tmp_path, count):
    with pytest.raises(UsageError, match="--genetic-code"):
        usage_map(count(write_set(tmp_path / "s", sequences=2)).result, "t")


def test_a_group_without_a_name_and_one_called_none_are_two_rows(count, parquet):
    path = parquet({"g": ["None", None], "sequence": ["ATGAAA", "CCCTTT"]})
    page = usage_map(count(path, by="g", genetic_code=1).result, "t")
    assert len(set(dict(data_of(page)["entries"])["row"])) == 2


def test_missing_families_are_not_numbers(result):
    entries = dict(data_of(usage_map(result, "t"))["entries"])
    rscu = codons.rscu(result).values.ravel()
    said = [v if isinstance(v, int | float) else None for v in entries["rscu"]]
    assert [v is None for v in said] == np.isnan(rscu).tolist()
