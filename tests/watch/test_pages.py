"""The live page and the report of one real run of each room, in a real browser that is offline."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client
from tests.watch.browser import IDLE, Page, browser
from tests.watch.jobs import JOBS, PATIENCE, Gate

from polytene.watch.report import report

Look = Callable[..., Page]
PICTURES = os.environ.get("POLYTENE_PICTURES")
"""Folder that the pictures of the docs are written to; empty: they are only looked at."""


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    from tests.conftest import require_tool

    require_tool("chromium")
    with browser(tmp_path_factory.mktemp("chromium")) as looks:
        yield looks


def is_sound(page: Page, name: str) -> None:
    """Nothing is blank, nothing went wrong, and nothing was asked of another machine."""
    if PICTURES:
        page.save(Path(PICTURES) / f"{name}.png")
    assert page.errors == []
    assert page.elsewhere == []
    assert page.pixels.std() > 5
    assert len({tuple(pixel) for pixel in page.pixels[::7, ::7].reshape(-1, 3).tolist()}) > 12


@pytest.mark.parametrize("room", JOBS)
def test_a_run_is_seen_live_and_in_its_report(
    room: str, local_client: Client, look: Look, tmp_path: Path
) -> None:
    job, kind, after, folder, picture = JOBS[room]
    gate, failed = Gate(kind, after), []

    def work() -> None:
        try:
            job(tmp_path, client=local_client, on_event=gate)
        except BaseException as error:
            failed.append(error)
            gate.reached.set()
            raise

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert gate.reached.wait(PATIENCE)
    assert not failed, failed
    link = local_client.dashboard_link.rpartition("/")[0]
    shown = f"{IDLE} && JSON.stringify(Bokeh.documents[0].to_json()).includes('{picture}')"
    live = look(f"{link}/polytene", shown)
    twin = json.load(urllib.request.urlopen(f"{link}/polytene.json"))["run"]
    gate.open.set()
    worker.join(PATIENCE)
    assert not worker.is_alive()
    assert not failed, failed
    is_sound(live, f"live-{room}")
    assert kind in live.text
    assert twin["kind"] == kind
    assert after <= twin["done"] + twin["quarantined"] < twin["units"]
    assert sum(stage["done"] for stage in twin["stages"]) > 0

    path = report(tmp_path / folder)
    written = look(path.as_uri())
    is_sound(written, f"report-{room}")
    assert f"{kind}: finished" in written.text
    for title in (picture, "Timeline", "Resources", "Provenance"):
        assert title in written.text
