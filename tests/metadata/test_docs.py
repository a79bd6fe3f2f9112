"""What the page of the room says is what the room does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pyarrow.csv as csv
import pytest

from polytene import metadata
from polytene.command import RunOptions
from polytene.metadata.cli import group
from polytene.metadata.parser.schema import COLUMNS, NAMED, REASONS, WARNINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metadata.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    level, rest = re.search(rf"^(#+) {title}\n(.*)", PAGE, re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.M)[0]


def test_the_table_of_fields_is_the_schema() -> None:
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*) \|$", section("Fields"), re.M)
    expected = []
    for kind, columns in COLUMNS.items():
        expected += [(kind, c.name, ", ".join(f"`{p}`" for p in c.paths)) for c in columns]
        expected += [(kind, name, None) for name, _, _ in NAMED.get(kind, ())]
    assert [r[:2] for r in rows] == [e[:2] for e in expected]
    assert all(e[2] in (None, r[2]) for r, e in zip(rows, expected, strict=True))


def test_every_reason_and_warning_is_explained() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", section("Reason codes"), re.M)) == REASONS
    shown = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]+)\|", section("Warnings"), re.M)))
    assert tuple(shown) == WARNINGS


@pytest.mark.parametrize("verb", ["build", "update"])
def test_each_option_is_documented(verb: str) -> None:
    command = group.get_command(click.Context(group), verb)
    own = [p for p in command.params if p.name not in RunOptions.__dataclass_fields__]
    for param in own:
        shown = param.opts[-1] if isinstance(param, click.Option) else param.name.upper()
        assert f"`{shown}`" in section(verb.title()) or shown in section(verb.title())


def test_the_example_runs(tmp_path: Path) -> None:
    script = ROOT / "examples" / "metadata_samples.py"
    assert len(script.read_text().splitlines()) <= 15
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    kb = metadata.open(tmp_path / "kb")
    expected = kb.runs(organism="Pogonomyrmex barbatus", strategy="RNA-Seq", layout="PAIRED")
    options = csv.ParseOptions(delimiter="\t")
    listed = csv.read_csv(tmp_path / "samples.tsv", parse_options=options)
    assert listed["run"].to_pylist() == expected.to_arrow()["run"].to_pylist()
    assert f"{len(expected)} of {kb.runs().count()} runs" in done.stdout
