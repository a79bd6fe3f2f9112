"""Task files: their lines, and what they leave beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.genome.plans import plan_of

from polytene.exceptions import UsageError
from polytene.formats.regions import Region
from polytene.genome.chunks import ChunkPlan, GenomicChunk
from polytene.genome.merging.outputs import DONE, PLAN_COPY
from polytene.genome.tasks.files import TaskGenerator

PLAN = plan_of([("c1", 0, 50)], [("c1", 50, 90), ("c2", 0, 9)], [("c3", 0, 70)])
PLACE = "x {seqid}:{start}-{end} > {output_dir}/{chunk_id}.tsv"


def lines(folder: Path, template: str, **how) -> list[str]:
    made = TaskGenerator(PLAN).generate(template, folder / "tasks.txt", **how)
    text = (folder / "tasks.txt").read_text()
    assert made.read_all() == text.splitlines()
    assert made.n_tasks == text.count("\n")
    return made.read_all()


def test_one_line_per_chunk(tmp_path):
    assert lines(tmp_path, "x {chunk_id} {size}") == [
        "x chunk_0000 50",
        "x chunk_0001 49",
        "x chunk_0002 70",
    ]


def test_one_line_per_interval_where_the_command_names_a_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lines(tmp_path, PLACE, output_dir="out/") == [
        "x c1:1-50 > out/chunk_0000.tsv",
        "x c1:51-90 > out/chunk_0001.1.tsv",
        "x c2:1-9 > out/chunk_0001.2.tsv",
        "x c3:1-70 > out/chunk_0002.tsv",
    ]


def test_the_output_folder_is_made_with_a_copy_of_the_plan(tmp_path):
    lines(tmp_path, "x {plan}", output_dir=tmp_path / "out")
    copy = ChunkPlan.load(tmp_path / "out" / PLAN_COPY)
    assert [c.intervals for c in copy] == [c.intervals for c in PLAN]


def test_plan_is_the_one_that_was_given_or_written_or_copied(tmp_path):
    out = tmp_path / "out"
    assert lines(tmp_path, "x {plan}", output_dir=out)[0] == f"x {out / PLAN_COPY}"
    assert lines(tmp_path, "x {plan}", chunk_plan_path="p.json")[0] == "x p.json"
    saved = tmp_path / "saved.json"
    assert lines(tmp_path, "x {chunk_plan}", chunk_plan_output=saved)[0] == f"x {saved}"
    assert len(ChunkPlan.load(saved)) == 3


def test_bed_files_hold_what_a_task_owns(tmp_path):
    whole = lines(tmp_path, "x {bed}")
    path = Path(whole[1].split()[1])
    assert path.read_text() == "c1\t50\t90\nc2\t0\t9\n"
    single = lines(tmp_path, "x {bed} {seqid}", output_dir=tmp_path / "out")
    assert Path(single[2].split()[1]).read_text() == "c2\t0\t9\n"


def test_logs_go_where_they_are_asked_to_and_outputs_stay_where_they_are(tmp_path):
    out = tmp_path / "out"
    made = lines(
        tmp_path, "echo {chunk_id} > {output_dir}/{chunk_id}.txt; ls nowhere",
        output_dir=out, include_logging=True,
    )  # fmt: skip
    assert made[0].endswith(f" > {out}/logs/chunk_0000.log 2>&1")
    subprocess.run(["bash", "-c", made[0]], check=False, timeout=20)
    assert (out / "chunk_0000.txt").read_text() == "chunk_0000\n"
    assert "nowhere" in (out / "logs" / "chunk_0000.log").read_text()
    logs = lines(tmp_path, "x", include_logging=True, log_dir=tmp_path / "l g")
    assert logs[0] == f"bash -o pipefail -c x > '{tmp_path}/l g/chunk_0000.log' 2>&1"


def test_missing_writes_only_the_chunks_without_output(tmp_path):
    out = tmp_path / "out"
    everything = lines(tmp_path, PLACE, output_dir=out)
    (out / "chunk_0000.tsv").write_text("x")
    (out / "chunk_0001.2.tsv").write_text("x")
    (out / "chunk_0002.tsv").write_text("")
    left = lines(tmp_path, PLACE, output_dir=out, missing=True)
    assert left == [everything[1], everything[3]]
    by_chunk = lines(tmp_path, "x {chunk_id}", output_dir=out, missing=True)
    assert by_chunk == ["x chunk_0001", "x chunk_0002"]


def test_missing_looks_at_the_files_of_a_pattern(tmp_path):
    out = tmp_path / "out"
    lines(tmp_path, PLACE, output_dir=out)
    for name in ("chunk_0000.tsv", "chunk_0001.log", "notes.txt", "chunk_0000.log"):
        (out / name).write_text("x")
    left = lines(tmp_path, "x {chunk_id}", output_dir=out, missing=True, pattern="*.tsv")
    assert left == ["x chunk_0001", "x chunk_0002"]


def test_nothing_missing_is_no_task(tmp_path):
    out = tmp_path / "out"
    lines(tmp_path, PLACE, output_dir=out)
    for i in range(3):
        (out / f"chunk_000{i}.tsv").write_text("x")
    assert lines(tmp_path, PLACE, output_dir=out, missing=True) == []


def test_marked_lines_leave_a_mark_in_the_output_folder(tmp_path):
    out = tmp_path / "out"
    found = lines(tmp_path, "grep '#' x | sort", output_dir=out, mark_done=True)
    mark = out / DONE / "chunk_0000"
    assert found[0] == (
        f"rm -f {mark}; bash -o pipefail -c 'grep '\"'\"'#'\"'\"' x | sort' && touch {mark}"
    )
    assert (out / DONE).is_dir()


def test_outputs_of_another_plan_are_never_mixed(tmp_path):
    out = tmp_path / "out"
    lines(tmp_path, PLACE, output_dir=out)
    other = TaskGenerator(plan_of([("c1", 0, 9)]))
    other.generate(PLACE, tmp_path / "t", output_dir=out)
    (out / "genome.fa").write_text("x")
    lines(tmp_path, PLACE, output_dir=out)
    other.generate(PLACE, tmp_path / "t", output_dir=out)
    (out / "chunk_0000.tsv").write_text("x")
    other.generate(PLACE, tmp_path / "t", output_dir=out)
    with pytest.raises(UsageError, match=r"chunk_0000\.tsv is of another plan"):
        lines(tmp_path, PLACE, output_dir=out)


@pytest.mark.parametrize(
    ("template", "how", "said"),
    [
        ("x {oops}", {}, "no placeholder"),
        ("x {output_dir}", {}, "--output-dir"),
        ("x {plan}", {}, "the chunk plan"),
        ("x", {"missing": True}, "output_dir"),
        ("x", {"mark_done": True}, "output_dir"),
        ("x", {"include_logging": True}, "log_dir"),
        ("x\ny", {}, "several lines"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, template, how, said):
    with pytest.raises(UsageError, match=said):
        lines(tmp_path, template, **how)
    assert not (tmp_path / "tasks.txt").exists()


def test_a_newline_in_a_name_is_refused_everywhere(tmp_path):
    generator = TaskGenerator(plan_of([("a\ntouch HACKED", 0, 9)]))
    for template in ("x {seqid}", "x {regions}", "x {bed}"):
        with pytest.raises(UsageError):
            generator.generate(template, tmp_path / "tasks.txt")
    assert not (tmp_path / "tasks.txt").exists()


@pytest.mark.parametrize("chunk_id", ["../../x", "a b", "-rf", "x;y", ""])
def test_a_chunk_id_that_is_no_file_name_is_refused(tmp_path, chunk_id):
    generator = TaskGenerator(ChunkPlan("x", [GenomicChunk(chunk_id, (Region("c", 0, 9),))], 9))
    with pytest.raises(UsageError, match="not safe as a file name"):
        generator.generate("x > {chunk_id}", tmp_path / "tasks.txt")
    with pytest.raises(UsageError, match="not safe as a file name"):
        generator.generate_with_wrapper(tmp_path / "tasks.txt", "wrapper.sh")


def test_wrapper_tasks_are_one_per_chunk(tmp_path):
    made = TaskGenerator(PLAN).generate_with_wrapper(
        tmp_path / "tasks.txt", "my wrapper.sh", tmp_path / "plan.json"
    )
    assert made.preview(2) == [
        "bash 'my wrapper.sh' chunk_0000",
        "bash 'my wrapper.sh' chunk_0001",
    ]
    assert made.chunk_plan_path == tmp_path / "plan.json"
    assert len(ChunkPlan.load(tmp_path / "plan.json")) == 3
