"""Command templates: every placeholder, braces that stay, and values that no shell can misread."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.genome.plans import HOSTILE

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.chunks import GenomicChunk
from polytene.genome.tasks.shell import quoting
from polytene.genome.tasks.templates import (
    PLACEHOLDERS,
    check_template,
    each_interval,
    format_command,
    placeholders,
    takes_one_interval,
)

CHUNK = GenomicChunk("chunk_0007", (Region("chr1", 999, 2000),), 7)
POOL = GenomicChunk("chunk_0008", (Region("sc1", 0, 10), Region("sc2", 5, 25)), 8)
PATHS = {"chunk_plan_path": "plan.json", "output_dir": "out", "bed": "c.bed"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunk_id", "chunk_0007"),
        ("seqid", "chr1"),
        ("start", "1000"),
        ("end", "2000"),
        ("start_0", "999"),
        ("end_0", "2000"),
        ("size", "1001"),
        ("regions", "chr1:1000-2000"),
        ("bed", "c.bed"),
        ("plan", "plan.json"),
        ("chunk_plan", "plan.json"),
        ("output_dir", "out"),
    ],
)
def test_every_placeholder(name, value):
    assert format_command(f"x {{{name}}}", CHUNK, **PATHS) == f"x {value}"
    assert name in PLACEHOLDERS


def test_all_placeholders_are_tested():
    marks = test_every_placeholder.pytestmark[0].args[1]
    assert {name for name, _ in marks} == set(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("template", "command"),
    [
        ("awk '{print $1}' {seqid}", "awk '{print $1}' chr1"),
        ("awk 'BEGIN{{s={start}}}{s++}END{print s}'", None),
        ("awk 'BEGIN{s={start}}'", "awk 'BEGIN{s=1000}'"),
        ("awk '/x/{{next}}{print $2}'", "awk '/x/{next}{print $2}'"),
        ("echo ${seqid} {seqid}", "echo ${seqid} chr1"),
        ("echo {} {1} {.} {a,b} {1..3} {SEQID}", "echo {} {1} {.} {a,b} {1..3} {SEQID}"),
        ("echo {{seqid}} {{{seqid}}}", "echo {seqid} {chr1}"),
        ("f() { x; }; f {seqid}", "f() { x; }; f chr1"),
        ("{seqid}{start}", "chr11000"),
    ],
)
def test_other_braces_stay(template, command):
    if command is None:
        with pytest.raises(UsageError, match="no placeholder"):
            format_command(template.replace("{s++}", "{s}"), CHUNK)
    else:
        assert format_command(template, CHUNK) == command


@pytest.mark.parametrize("word", ["seq_id", "region", "print", "next", "x"])
def test_an_unknown_placeholder_is_an_error_that_says_what_to_do(word):
    with pytest.raises(UsageError) as error:
        format_command(f"x {{{word}}}", CHUNK)
    assert f"{{{word}}} is no placeholder" in str(error.value)
    assert f"Write {{{{{word}}}}}" in str(error.value)
    with pytest.raises(UsageError):
        check_template(f"x {{{word}}}")


def test_a_near_miss_is_named():
    with pytest.raises(UsageError, match=r"did you mean \{seqid\}"):
        format_command("x {seq_id}", CHUNK)


@pytest.mark.parametrize("name", ["bed", "plan", "chunk_plan", "output_dir"])
def test_a_path_that_was_not_given_is_an_error(name):
    with pytest.raises(UsageError, match="has no value here"):
        format_command(f"x {{{name}}}", CHUNK)


def test_extra_values_are_placeholders_too():
    assert format_command("x -t {threads}", CHUNK, extra_vars={"threads": 4}) == "x -t 4"
    check_template("x -t {threads}", {"threads": 4})


def test_a_pool_has_regions_and_size_and_no_one_place():
    assert format_command("x {regions} {size}", POOL) == "x sc1:1-10 sc2:6-25 30"
    for name in ("seqid", "start", "end", "start_0", "end_0"):
        with pytest.raises(UsageError, match=r"pools 2 intervals.*\{bed\}"):
            format_command(f"x {{{name}}}", POOL)
        assert takes_one_interval(f"x {{{name}}}")
    assert not takes_one_interval("x {regions} {bed} {{seqid}} ${start}")


def test_each_interval_of_a_pool_has_an_id_of_its_own():
    ids = [(c.chunk_id, *c.intervals) for c in each_interval(POOL)]
    assert ids == [("chunk_0008.1", POOL.intervals[0]), ("chunk_0008.2", POOL.intervals[1])]
    assert list(each_interval(CHUNK)) == [CHUNK]


@pytest.mark.parametrize("template", ["", "  ", "a\nb {seqid}", "a\rb"])
def test_templates_that_are_no_line_are_refused(template):
    with pytest.raises(UsageError):
        check_template(template)


def chunk_on(seqid: str) -> GenomicChunk:
    return GenomicChunk("chunk_0000", (Region(seqid, 0, 10),))


def shell(command: str, cwd: str | None = None) -> list[str]:
    """What ``printf '%s\\0'`` says in a real shell."""
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, check=True, cwd=cwd, timeout=20
    )
    return done.stdout.decode(errors="surrogateescape").split("\0")[:-1]


@pytest.mark.parametrize("seqid", HOSTILE)
def test_hostile_names_reach_the_program_as_they_are(seqid, tmp_path):
    command = format_command("printf '%s\\0' {seqid} x{seqid}:{start} {regions}", chunk_on(seqid))
    assert shell(command, str(tmp_path)) == [seqid, f"x{seqid}:1", f"{seqid}:1-10"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "template",
    [
        "x '{seqid}'",
        'x "{seqid}"',
        "x `y {seqid}`",
        'bash -c "y {seqid}"',
        "sh -c 'y {seqid}'",
        "bash -xc {seqid}",
        "eval y {seqid}",
        "ssh host y {seqid}",
        "ls | parallel y {seqid}",
        "x \\{seqid}",
        "x ${y:-{seqid}}",
        "x # {seqid}",
        "x $'{seqid}'",
        'x "$(case a in a) y "{seqid}";; esac)"',
    ],
)
def test_a_hostile_name_is_refused_where_quotes_do_not_help(template):
    with pytest.raises(UsageError):
        format_command(template, chunk_on("a; rm -rf $HOME"))
    assert "chr1" in format_command(template, chunk_on("chr1"))


@pytest.mark.parametrize("seqid", ["", "a\nb", "a\tb", "a\0b", "a\x85b", "a\u2028b", "a\x1b[2J"])
def test_a_name_that_no_line_can_hold_is_refused(seqid):
    with pytest.raises(UsageError):
        format_command("x {seqid}", chunk_on(seqid))


def test_a_name_like_an_option_is_refused_where_it_would_be_one():
    for template in ("x {seqid}", "x {regions}", "{seqid}", "x;{seqid}"):
        with pytest.raises(UsageError, match="takes for an option"):
            format_command(template, chunk_on("-rf"))
    assert format_command("x --seq={seqid}", chunk_on("-rf")) == "x --seq=-rf"


def test_a_value_is_no_part_of_a_variables_name():
    for template in ("x $a{seqid}", 'x "$a{seqid}"', "x \\\\$a_1{end}"):
        with pytest.raises(UsageError, match=r"write \$\{a"):
            format_command(template, chunk_on("chr1"))
    assert format_command("x '$a{seqid}' ${a}{seqid} $1{seqid} \\$a{seqid}", chunk_on("c")) == (
        "x '$ac' ${a}c $1c \\$ac"
    )


NAMES = st.text(st.sampled_from("a1'\"$`\\ ;&|<>()#*?[]{}!~-=\n%:é"), min_size=1, max_size=12)
AROUND = st.text(st.sampled_from("a'\"$`\\ ()#{};|"), max_size=8)


@given(NAMES, AROUND, AROUND)
def test_in_any_template_a_name_is_itself_or_refused(name, before, after):
    """Compared with the shell: the same command with an innocent name, and then with this one."""
    template = f"printf '%s\\0' {before}{{seqid}}{after}"
    assume("$$" not in before + after)  # the shell's own number
    try:
        harmless = format_command(template, chunk_on("QQQ"))
        said = shell(harmless)
    except (UsageError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        assume(False)
    try:
        hostile = format_command(template, chunk_on(name))
    except UsageError:
        return
    assert shell(hostile) == [word.replace("QQQ", name) for word in said]


def test_quoting_knows_what_is_inside_what():
    command = 'a "b$(c "d" e)f" g'
    states = {letter: quoting(command)[command.index(letter)] for letter in "abcdefg"}
    assert states == {"a": "", "b": '"', "c": "", "d": '"', "e": "", "f": '"', "g": ""}


def test_placeholders_lists_what_a_template_names():
    assert placeholders("{seqid} {{end}} ${start} {x}") == {"seqid", "x"}
