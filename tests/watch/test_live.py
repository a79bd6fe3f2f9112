"""The live page without a browser: what is read, when, and what is sent."""

from __future__ import annotations

import json
import threading
import urllib.request
from dataclasses import dataclass, replace

import pytest
from bokeh.document import Document
from distributed import Client

from polytene import Plan, Reduction, Stage, Unit, run
from polytene.core.events import Settled, Visible
from polytene.core.ledger import segments
from polytene.watch.draw import Drawing
from polytene.watch.grids import stage_grid
from polytene.watch.pictures import RUNNING, Bars, Points
from polytene.watch.progress import where_to_look
from polytene.watch.snapshot import Reader
from polytene.watch.story import Story
from polytene.watch.views import View, view_of


@dataclass(frozen=True)
class Holding(Unit):
    @property
    def footprint(self):
        return {"disk": 100.0}


def one(unit):
    return 1


MESSAGE = {
    "run": "", "kind": "plain", "noun": "unit", "token": "", "units": 30, "settled": 30, "items": 3,
    "nbytes": 5, "failures": 1, "flying": 2, "limits": {"disk": [50.0, 200.0]}, "over": False,
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    plan = Plan("plain", [Unit(f"u{i}") for i in range(30)], block=1)
    run(plan, [one], Reduction(sum), run_dir=tmp_path)
    return tmp_path


def page_of(client: Client) -> dict:
    link = client.dashboard_link.rpartition("/")[0]
    with urllib.request.urlopen(f"{link}/polytene.json") as answer:
        return json.load(answer)


def test_a_run_tells_where_it_is_and_what_it_holds(local_client, tmp_path):
    seen, pages = [], []

    def on_event(event):
        seen.append(event)
        if isinstance(event, Settled) and len(pages) < 3:
            pages.append(page_of(local_client))

    plan = Plan("leases", [Holding(f"u{i}") for i in range(12)], block=1)
    run(plan, [Stage(one, uses={"net": 1})], Reduction(sum), run_dir=tmp_path, client=local_client,
        limits={"net": 2, "disk": 400.0}, on_event=on_event)  # fmt: skip
    (page,) = [e.page for e in seen if isinstance(e, Visible)]
    assert page == local_client.dashboard_link.rpartition("/")[0] + "/polytene"
    assert pages[0]["run"]["limits"]["disk"]["total"] == 400
    assert all(0 <= p["run"]["limits"]["disk"]["used"] <= 400 for p in pages)
    last = page_of(local_client)
    assert last["run"]["state"] == "over"
    assert (last["run"]["done"], last["run"]["units"]) == (12, 12)
    assert last["run"]["stages"][0]["done"] == 12
    assert {"run": str(tmp_path), "kind": "leases", "over": True} in last["runs"]


def test_nothing_is_read_while_nobody_looks(local_client, tmp_path):
    seen = threading.Event()
    run(Plan("unseen", [Unit("a")]), [one], Reduction(sum), run_dir=tmp_path, client=local_client,
        on_event=lambda event: seen.set())  # fmt: skip
    assert seen.is_set()

    def about(dask_scheduler):
        page = dask_scheduler.plugins["polytene-page"]
        reader = page._reader
        return list(page.messages), reader.directory if reader else ""

    messages, read = local_client.run_on_scheduler(about)
    assert str(tmp_path) in messages
    assert read != str(tmp_path)


def test_a_snapshot_counts_what_the_directory_holds(root):
    snapshot = Reader(str(root)).read({**MESSAGE, "run": str(root)}, 0.0, [(0, 3), (7, 2), (0, 99)])
    assert (snapshot.totals.done, snapshot.totals.units) == (30, 30)
    assert snapshot.running == [(0, 3)]
    assert snapshot.as_json()["per_second"] > 0
    json.dumps(snapshot.as_json(), allow_nan=False)


class Adding(View):
    wants_values = True

    def __init__(self, story):
        super().__init__(story)
        self.sum = 0

    def settle(self, block, values):
        self.sum += sum(value or 0 for value in values)


def test_a_block_that_is_tried_again_counts_once(tmp_path, monkeypatch):
    """Units that fail once, so that their block settles twice while the page looks on."""
    monkeypatch.setattr("polytene.watch.snapshot.view_of", Adding)
    tried = tmp_path / "tried"

    def flaky(unit):
        if unit.key == "u3" and not tried.exists():
            tried.touch()
            raise ConnectionError("net")
        return 1

    reader, sums = Reader(str(tmp_path / "run")), []

    def look():
        message = {**MESSAGE, "run": str(tmp_path / "run")}
        reader.read(message, 0.0, [])
        sums.append(reader._view.sum)

    plan = Plan("plain", [Unit(f"u{i}") for i in range(8)], block=8)
    run(plan, [flaky], Reduction(sum), run_dir=tmp_path / "run")
    (segment,) = segments(tmp_path / "run")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"")
    for line in lines:
        with open(segment, "ab") as out:
            out.write(line)
        look()
    assert sums[-1] == 8
    blocks = len(Story(tmp_path / "run").plan.index)
    assert sum(b'"part"' in line for line in lines) == blocks + 1


def test_without_the_directory_the_driver_s_words_are_shown(tmp_path):
    snapshot = Reader(str(tmp_path / "elsewhere")).read({**MESSAGE, "run": "elsewhere"}, 60.0, [])
    assert "cannot be read from the scheduler's host" in snapshot.problem
    assert snapshot.state == "silent for 60 s"
    assert snapshot.totals.done == 30
    assert snapshot.as_json()["stages"] == []


def test_many_blocks_share_cells(tmp_path):
    plan = Plan("many", [Unit(f"u{i}") for i in range(9000)], block=1)
    run(plan.head(4), [one], Reduction(sum), run_dir=tmp_path / "few")
    story = Story(tmp_path / "few")
    story.read_on()
    story.cells = story.cells.repeat(2500, axis=1)
    story.plan = replace(story.plan, index=story.plan.index.repeat(2500))
    grid = stage_grid(story, [(0, 1)])
    assert len(grid.boxes.columns["left"]) <= 2000
    story.cells["state"] = 0
    assert RUNNING in stage_grid(story, [(0, 1)]).boxes.columns["colour"]


def test_only_what_has_changed_is_sent(root):
    story = Story(root)
    before = stage_grid(story, [])
    drawing = Drawing(before)
    document = Document()
    document.add_root(drawing.model)
    story.read_on()
    after = stage_grid(story, [])
    changed = sum(
        a != b for n in ("colour", "text")
        for a, b in zip(before.boxes.columns[n], after.boxes.columns[n], strict=True)
    )  # fmt: skip
    assert drawing.update(after) == changed > 0
    assert drawing.update(stage_grid(story, [])) == 0


def test_points_are_added_and_names_follow():
    points = Points("p", x=[1.0], y=[2.0], colour=["red"], text=["a"])
    drawing = Drawing(points)
    more = replace(points, x=[1.0, 2.0], y=[2.0, 3.0], colour=["red"] * 2, text=["a", "b"])
    assert drawing.update(more) == 4
    bars = Drawing(Bars("b", names=["x", "y"], values=[1, 2]))
    assert bars.update(Bars("b", names=["z"], values=[5])) == 2


def test_a_room_that_cannot_be_imported_shows_its_stages(root, monkeypatch):
    from polytene.watch import views

    story = Story(root)
    assert type(view_of(story)) is View
    monkeypatch.setitem(views.VIEWS, "plain", "polytene.no_such_room.view")
    assert type(view_of(story)) is View


def test_the_way_to_a_page_on_another_machine(monkeypatch):
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    page = "http://127.0.0.1:8787/polytene"
    assert where_to_look(page) == f"live page: {page}"
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")
    assert "ssh -L 8787:127.0.0.1:8787 " in where_to_look(page)
