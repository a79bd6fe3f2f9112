"""What the documents say is what the package does."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from dask.utils import format_bytes

from polytene import codons
from polytene.cli import ROOMS, polytene
from polytene.codons.run import MEMORY as COUNT_MEMORY
from polytene.codons.sets.ingest import MEMORY as INGEST_MEMORY
from polytene.command import RunOptions
from polytene.formats.parquet import SLICE_BYTES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "polytene"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
FENCE = re.compile(r"^```(\S+)\n(.*?)^```$", re.M | re.S)
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def blocks(page: Path, language: str) -> list[str]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def section(page: Path, title: str) -> str:
    """The text below a heading, up to the next heading of its level or above."""
    text = page.read_text(encoding="utf-8")
    level = re.search(rf"^(#+) {re.escape(title)}$", text, re.M)
    assert level, f"{page.name} has no section {title!r}"
    rest = text[level.end() :]
    end = re.search(rf"^#{{1,{len(level[1])}}} ", rest, re.M)
    return rest[: end.start()] if end else rest


def first_column(text: str) -> list[str]:
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.M)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


# The README


def test_readme_has_exactly_two_commands() -> None:
    quick = section(ROOT / "README.md", "Quick start")
    commands = [text.strip() for _, text in FENCE.findall(quick)]
    assert commands == ["pip install . && polytene demo", 'pip install ".[test]" && pytest']


def test_the_test_command_can_be_cut_out_of_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if re.match(r'pip install ".*\[test\].*$', line)]
    assert found == ['pip install ".[test]" && pytest']


def test_the_python_example_of_the_readme_runs(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    assert len(example.strip().splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 planned: 1 computed, 0 resumed, 0 quarantined" in done.stdout
    assert "Generatus exempli 1" in done.stdout


def test_relative_links_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


# Command lines


def console_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.strip().splitlines():
                yield page.name, line


def parse(args: list[str]) -> click.Command:
    """Parse a command line as the command would, without running it."""
    command: click.Command = polytene
    name = "polytene"
    context: click.Context | None = None
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=name, parent=context)
        name, *args = args
        found = command.get_command(context, name)
        assert found is not None, f"no command {name!r}"
        command = found
    command.make_context(name, args, parent=context)
    return command


@pytest.mark.parametrize(("page", "line"), list(console_lines()))
def test_command_lines_parse(page: str, line: str) -> None:
    assert line.startswith("$ "), f"{page}: a console block holds commands only: {line!r}"
    words = shlex.split(line[2:])
    if words[0] == "polytene":
        parse(words[1:])
    else:
        assert words[0] == "python"
        assert (ROOT / words[1]).is_file()


def test_a_wrong_command_line_does_not_parse() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(["codons", "count", "set", "--no-such-option"])


@pytest.mark.parametrize("verb", ["ingest", "count"])
def test_each_option_of_a_room_is_documented(verb: str) -> None:
    command = parse(["codons", verb, "x", "-o", "y"])
    own = [p for p in command.params if p.name not in RunOptions.__dataclass_fields__]
    text = section(ROOT / "docs" / "codons.md", verb.title())
    for param in own:
        shown = param.opts[-1]
        if isinstance(param, click.Argument):
            shown = (param.metavar or shown.upper()).rstrip(".")
        assert shown in text, f"docs/codons.md does not say what {shown} of {verb} is"


def test_each_room_has_its_commands_on_the_command_line_page() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for room in ROOMS:
        assert f".. click:: polytene.{room}.cli:group\n   :prog: polytene {room}\n" in text


# Reason codes


def reasons(*folders: str) -> set[str]:
    """The codes that a folder's BadInput and Rejected are made with."""
    place = {"BadInput": 0, "_error": 0, "Rejected": 1, "reject": 1}
    found = set()
    for path in (p for f in folders for p in (PACKAGE / f).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in place and len(node.args) > place[name]:
                code = node.args[place[name]]
                if isinstance(code, ast.Constant) and KEBAB.fullmatch(str(code.value)):
                    found.add(str(code.value))
    return found


def test_the_tables_of_reason_codes_are_whole() -> None:
    """Each room's page has the codes that its users meet, those of shared formats included."""
    tables = [
        first_column(section(page, "Reason codes"))
        for page in DOCS
        if re.search(r"^#+ Reason codes$", page.read_text(encoding="utf-8"), re.M)
    ]
    assert len(tables) >= len(ROOMS)
    told = {code for table in tables for code in table}
    assert reasons(*ROOMS, "formats") <= told
    written = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    source = "".join(p.read_text(encoding="utf-8") for p in written)
    assert [c for c in told if f'"{c}"' not in source and f"class {c}(" not in source] == []


# Configuration


def keys(settings: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from keys(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, settings


def test_the_table_of_settings_is_whole() -> None:
    settings = yaml.safe_load((PACKAGE / "polytene.yaml").read_text(encoding="utf-8"))
    text = section(ROOT / "docs" / "clusters.md", "Configuration")
    found = dict(re.findall(r"^\| `(polytene\.[^`]+)` \| `([^`]*)` \|", text, re.M))
    expected = {name: yaml.safe_dump(v).splitlines()[0] for name, v in keys(settings)}
    assert found == expected


# Numbers and names


def test_memory_figures_are_those_of_the_code() -> None:
    text = section(ROOT / "docs" / "codons.md", "Memory")
    for size in (SLICE_BYTES, COUNT_MEMORY, INGEST_MEMORY):
        words = format_bytes(size).replace(".00", "")
        assert words in text, f"docs/codons.md does not say {words}"


def test_the_number_of_genetic_codes() -> None:
    assert f"All {len(codons.GENETIC_CODES)} codes" in section(
        ROOT / "docs" / "codons.md", "Genetic codes"
    )


def test_the_design_page_shows_every_file() -> None:
    tree = section(ROOT / "docs" / "design.md", "The tree")
    shown: list[str] = []
    folders: list[str] = []
    for indent, name in re.findall(r"^( +)([\w.\-]+/?)  +\S", tree, re.M):
        del folders[len(indent) // 2 - 1 :]
        shown.append("/".join([*folders, name]))
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
    files = {s for s in shown if not s.endswith("/")}
    real = {
        str(p.relative_to(PACKAGE))
        for p in PACKAGE.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    trivial = {f"{d}/__init__.py" for d in ("core", "watch", "formats", "testing")}
    assert files == real - trivial, "docs/design.md, The tree: one line per file"
