"""Which file is whose, what is missing, and one result however the genome was cut."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.genome.plans import cut, plan_of

from polytene.exceptions import BadInput, IncompleteRun, UsageError
from polytene.genome.chunks import ChunkPlan, chunk_ids
from polytene.genome.merging.aggregate import TYPES, aggregate
from polytene.genome.merging.outputs import DONE, PLAN_COPY, TaskNames, find_files, without_output

PLAN = plan_of([("c1", 0, 50)], [("c1", 50, 90), ("c2", 0, 9)], [("c3", 0, 70)])


def outputs(folder: Path, *names: str, text: str = "h\n{}\n") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name))
    return folder


ALL = ("chunk_0000.tsv", "chunk_0001.tsv", "chunk_0002.tsv")


def rows(folder: Path, **how) -> list[str]:
    done = aggregate(folder, "*.tsv", folder / "out" / "all.tsv", "merge_tsv", **how)
    return done.output.read_text().splitlines()[1:]


def test_merged_in_plan_order(tmp_path):
    outputs(tmp_path, *reversed(ALL))
    assert rows(tmp_path, chunk_plan=PLAN) == list(ALL)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("chunk_0001.tsv", (1, 0)),
        ("chunk_0001.2.tsv", (1, 2)),
        ("chunk_0001.2_report.tsv", (1, 2)),
        ("chunk_0001.3.tsv", (1, 0)),
        ("chunk_0000.1.tsv", (0, 0)),
        ("chunk_0001_refined.gff3", (1, 0)),
        ("run7-chunk_0001.tsv", (1, 0)),
        ("chunk_0001/out.tsv", (1, 0)),
        ("chunk_0000/chunk_0001.tsv", (1, 0)),
        ("chunk_00010.tsv", None),
        ("xchunk_0001.tsv", None),
        ("chunk_0007.tsv", None),
        ("summary.tsv", None),
    ],
)
def test_the_id_in_the_name_says_whose_it_is(name, key):
    assert TaskNames(PLAN).find(name) == key


def test_chunk_ten_thousand_is_not_chunk_one_thousand():
    plan = plan_of(*([("c", i, i + 1)] for i in range(10_001)))
    names = TaskNames(plan)
    assert names.find("chunk_01000.tsv") == (1000, 0)
    assert names.find("chunk_10000.tsv") == (10_000, 0)
    assert names.find("chunk_1000.tsv") is None


def test_a_missing_chunk_is_refused_by_name(tmp_path):
    outputs(tmp_path, ALL[0], ALL[2])
    with pytest.raises(IncompleteRun, match="1 of 3 chunks have no output: chunk_0001") as error:
        rows(tmp_path, chunk_plan=PLAN)
    assert error.value.exit_code == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("allowed", [["chunk_0001"], ["all"], ["chunk_0001.1", "chunk_0001"]])
def test_unless_it_may_be_missing(tmp_path, allowed):
    outputs(tmp_path, ALL[0], ALL[2])
    done = aggregate(tmp_path, "*.tsv", tmp_path / "all", chunk_plan=PLAN, allow_missing=allowed)
    assert (done.missing, done.files, done.checked) == (["chunk_0001"], 2, True)


def test_another_one_than_that_is_still_refused(tmp_path):
    outputs(tmp_path, ALL[0])
    with pytest.raises(IncompleteRun, match="no output: chunk_0002"):
        rows(tmp_path, chunk_plan=PLAN, allow_missing=["chunk_0001"])


@pytest.mark.parametrize("allowed", ["chunk_0009", "chunk_0000.1", "nonsense"])
def test_only_chunks_of_the_plan_may_be_missing(tmp_path, allowed):
    outputs(tmp_path, *ALL)
    with pytest.raises(UsageError, match="no such chunk"):
        rows(tmp_path, chunk_plan=PLAN, allow_missing=[allowed])


def test_a_pool_may_come_interval_by_interval_and_all_have_to(tmp_path):
    outputs(tmp_path, ALL[0], "chunk_0001.2.tsv", "chunk_0001.1.tsv", ALL[2])
    assert rows(tmp_path, chunk_plan=PLAN)[1:3] == ["chunk_0001.1.tsv", "chunk_0001.2.tsv"]
    (tmp_path / "chunk_0001.2.tsv").unlink()
    with pytest.raises(IncompleteRun, match=r"chunk_0001\.2"):
        rows(tmp_path, chunk_plan=PLAN)
    outputs(tmp_path, "chunk_0001.tsv")
    with pytest.raises(UsageError, match="and of its intervals"):
        rows(tmp_path, chunk_plan=PLAN)


def test_two_files_of_one_chunk_are_refused(tmp_path):
    outputs(tmp_path, *ALL, "chunk_0001_report.tsv")
    with pytest.raises(UsageError, match=r"are both of chunk_0001: narrow --pattern"):
        rows(tmp_path, chunk_plan=PLAN)


def test_a_file_of_no_chunk_is_refused(tmp_path):
    outputs(tmp_path, *ALL, "summary.tsv")
    with pytest.raises(UsageError, match=r"summary\.tsv has no chunk of the plan"):
        rows(tmp_path, chunk_plan=PLAN)


def test_the_copy_of_the_plan_is_found_and_has_to_agree(tmp_path):
    outputs(tmp_path, ALL[0])
    PLAN.save(tmp_path / PLAN_COPY)
    with pytest.raises(IncompleteRun):
        rows(tmp_path)
    other = plan_of([("c1", 0, 10)])
    with pytest.raises(UsageError, match="another plan"):
        rows(tmp_path, chunk_plan=other)


def test_without_any_plan_all_is_merged_and_said(tmp_path):
    outputs(tmp_path, "chunk_10.tsv", "chunk_9.tsv")
    done = aggregate(tmp_path, "*.tsv", tmp_path / "all", "merge_tsv")
    assert not done.checked
    assert done.output.read_text() == "h\nchunk_9.tsv\nchunk_10.tsv\n"


def test_marks_say_which_outputs_are_whole(tmp_path):
    outputs(tmp_path, *ALL)
    (tmp_path / DONE).mkdir()
    for name in ("chunk_0000", "chunk_0001"):
        (tmp_path / DONE / name).touch()
    with pytest.raises(IncompleteRun, match=r"chunk_0002 \(did not end well\)"):
        rows(tmp_path, chunk_plan=PLAN)
    assert rows(tmp_path, chunk_plan=PLAN, allow_missing=["chunk_0002"]) == list(ALL[:2])
    assert without_output(PLAN, tmp_path, find_files(tmp_path, "*.tsv")) == {(2, 0)}


def test_the_output_of_an_earlier_merge_is_no_part(tmp_path):
    outputs(tmp_path, "a.tsv")
    for _ in range(2):
        aggregate(tmp_path, "*.tsv", tmp_path / "all.tsv", "concat")
    assert (tmp_path / "all.tsv").read_text() == "h\na.tsv\n"


def test_hidden_files_are_no_parts(tmp_path):
    outputs(tmp_path, ".chunk_0000.tsv.1.tmp", ".regions/x.tsv", "a.tsv")
    assert [p.name for p in find_files(tmp_path, "**/*")] == ["a.tsv"]


@pytest.mark.parametrize(
    ("pattern", "folder", "kind", "said"),
    [
        ("*.none", ".", "concat", "no file in"),
        ("*.tsv", "nowhere", "concat", "is not a folder"),
        ("*.tsv", ".", "merge_all", "no type 'merge_all'"),
        ("/abs/*", ".", "concat", "pattern"),
        ("", ".", "concat", "pattern"),
    ],
)
def test_what_cannot_be_merged_is_refused(tmp_path, pattern, folder, kind, said):
    outputs(tmp_path, "a.tsv")
    with pytest.raises(UsageError, match=said):
        aggregate(tmp_path / folder, pattern, tmp_path / "all", kind)


HANGS = """
import sys, time
from pathlib import Path
from polytene.genome.merging.files import whole_file
with whole_file(Path(sys.argv[1])) as write:
    write(b"half")
    print("begun", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_and_only_that(tmp_path):
    outputs(tmp_path / "in", *ALL)
    (tmp_path / ".all.tsv.mine.tmp").touch()
    argv = [sys.executable, "-c", HANGS, str(tmp_path / "all.tsv")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"begun\n"
            for left in (1, 0):
                aggregate(tmp_path / "in", "*.tsv", tmp_path / "all.tsv", chunk_plan=PLAN)
                assert len(list(tmp_path.glob(".all.tsv.*.tmp"))) == 1 + left
                process.kill()
                process.wait()
        finally:
            process.kill()


def test_a_folder_is_no_output(tmp_path):
    outputs(tmp_path, "a.tsv")
    with pytest.raises(UsageError, match="is a folder"):
        aggregate(tmp_path, "*.tsv", tmp_path, "concat")


@pytest.mark.parametrize("kind", TYPES)
def test_a_damaged_part_is_an_error_of_every_type(tmp_path, kind):
    (tmp_path / "chunk_0000.x").write_bytes(b"\x1f\x8b\x08\x00 and no more")
    with pytest.raises(BadInput, match=r"chunk_0000\.x"):
        aggregate(tmp_path, "*.x", tmp_path / "all", kind)
    assert not (tmp_path / "all").exists()


LENGTHS = {"chr2": 400, "chr10": 300, **{f"sc{i}": 9 for i in range(20)}}
POINTS = [(s, p) for s, n in LENGTHS.items() for p in range(0, n, 3)]


def write_bed_and_tsv(plan: ChunkPlan, folder: Path) -> None:
    folder.mkdir()
    for chunk in plan:
        mine = [(s, p) for s, p in POINTS if chunk.owns(s, p)]
        table = "seqid\tpos\n" + "".join(f"{s}\t{p + 1}\n" for s, p in mine)
        (folder / f"{chunk.chunk_id}.tsv").write_text(table)
        bed = "".join(f"{s}\t{p}\t{p + 2}\n" for s, p in reversed(mine))
        (folder / f"{chunk.chunk_id}.bed").write_text(bed)


@given(st.sampled_from([1, 2, 7, 64, 200]))
def test_the_result_does_not_depend_on_the_cuts(tmp_path_factory, k):
    folder = tmp_path_factory.mktemp("cuts")
    found = []
    for n in (1, k):
        plan = cut(LENGTHS, n)
        where = folder / f"n{n}" if n != 1 or k != 1 else folder / f"n{n}{len(found)}"
        write_bed_and_tsv(plan, where)
        table = aggregate(where, "*.tsv", folder / "t", "merge_tsv", chunk_plan=plan)
        bed = aggregate(where, "*.bed", folder / "b", "merge_bed", chunk_plan=plan)
        found.append((table.output.read_bytes(), bed.output.read_bytes()))
        assert table.records == bed.records == len(POINTS)
    assert found[0] == found[1]


PEAK = """
import sys
from polytene.genome.merging.aggregate import aggregate
aggregate(sys.argv[1], "*.tsv", sys.argv[1] + "/all", "merge_tsv")
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


def test_tables_stream(tmp_path):
    """400 MB of tables go through less than 200 MB of memory."""
    (tmp_path / "0.tsv").write_bytes(b"head\n" + (b"x" * 79 + b"\n") * 200_000)
    for i in range(1, 25):
        os.link(tmp_path / "0.tsv", tmp_path / f"{i}.tsv")
    command = [sys.executable, "-c", PEAK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert (tmp_path / "all").stat().st_size == 5 + 25 * 200_000 * 80
    assert int(done.stdout) < 200 * 1024
    (tmp_path / "all").unlink()


def test_ids_sort_as_they_are_numbered():
    assert chunk_ids(10_001)[-1] == "chunk_10000"
    assert sorted(chunk_ids(10_001)) == chunk_ids(10_001)
