"""The live page as a Bokeh document, and its JSON twin."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from bokeh.layouts import column
from bokeh.models import Div
from distributed.http.utils import RequestHandler

from polytene.watch import markup
from polytene.watch.draw import Drawing
from polytene.watch.snapshot import Snapshot

if TYPE_CHECKING:
    from bokeh.document import Document
    from distributed import Scheduler

    from polytene.watch.live import LivePage

EVERY = 500
NOTHING = "<div class='pt'><h1>polytene</h1><p>No run has begun on this scheduler yet.</p></div>"


class Canvas:
    """All of the page; it is drawn on as snapshots come."""

    def __init__(self) -> None:
        self._head = _text(NOTHING)
        self._stages = _text("")
        self._failures = _text("")
        self._pictures = column(sizing_mode="stretch_width")
        self._drawings: list[Drawing] = []
        self._seen: Snapshot | None = None
        self.model = column(
            self._head, self._stages, self._pictures, self._failures, sizing_mode="stretch_width"
        )

    def draw(self, snapshot: Snapshot | None) -> int:
        """Show a snapshot, if it is another one; return how many values were sent."""
        if snapshot is None or snapshot is self._seen:
            return 0
        self._seen = snapshot
        sent = _say(self._head, _head(snapshot))
        sent += _say(self._stages, _stages(snapshot))
        sent += _say(self._failures, _failures(snapshot))
        return sent + self._draw_pictures(snapshot)

    def _draw_pictures(self, snapshot: Snapshot) -> int:
        sent = 0
        if [p.title for p in snapshot.pictures] == [d.picture.title for d in self._drawings]:
            for drawing, picture in zip(self._drawings, snapshot.pictures, strict=True):
                sent += drawing.update(picture)
        else:
            self._drawings = [Drawing(picture) for picture in snapshot.pictures]
            self._pictures.children = [d.model for d in self._drawings]
        return sent


def _text(text: str) -> Div:
    return Div(text=text, sizing_mode="stretch_width", stylesheets=[markup.STYLE])


def _say(div: Div, text: str) -> int:
    if div.text == text:
        return 0
    div.text = text
    return 1


def _head(snapshot: Snapshot) -> str:
    message = snapshot.message
    bad = [name for name, n in snapshot.totals.bad.items() if n]
    problem = f"<p class='note'>{markup.escape(snapshot.problem)}</p>" if snapshot.problem else ""
    return (
        f"<div class='pt'><h1>{markup.escape(message['kind'] + ': ' + snapshot.state)}</h1>"
        f"<div class='path'>{markup.escape(message['run'])}</div>"
        f"{markup.facts(snapshot.facts(), bad)}{problem}</div>"
    )


def _stages(snapshot: Snapshot) -> str:
    stages = markup.strip(snapshot.story, snapshot.running) if snapshot.story else ""
    return f"<div class='pt'>{stages}{markup.gauges(snapshot.message['limits'])}</div>"


def _failures(snapshot: Snapshot) -> str:
    if not snapshot.failures:
        return ""
    reasons = snapshot.story.reasons if snapshot.story else {}
    said = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
    table = markup.failures_table(snapshot.failures, snapshot.message["noun"])
    return (
        f"<div class='pt'><h2>Failures <span class='note'>{markup.escape(said)}</span></h2>"
        f"{table}</div>"
    )


def document(
    page: LivePage, scheduler: Scheduler, variables: dict[str, Any], doc: Document
) -> None:
    """Fill the document of a browser that has opened the page."""
    from distributed.dashboard.components.scheduler import env

    canvas = Canvas()

    def tick() -> None:
        start = time.thread_time()
        canvas.draw(page.look())
        page.spent += time.thread_time() - start

    tick()
    doc.add_periodic_callback(tick, EVERY)
    doc.title = "polytene"
    doc.add_root(canvas.model)
    doc.template = env.get_template("simple.html")
    doc.template_variables.update(variables)


class Json(RequestHandler):  # type: ignore[misc]
    """The page for programs."""

    def initialize(self, page: LivePage) -> None:
        """Keep the page."""
        self.page = page

    async def get(self) -> None:
        """Answer with the newest state, and the other runs that were heard of."""
        snapshot = await self.page.newest()
        runs = [{k: m[k] for k in ("run", "kind", "over")} for m in self.page.messages.values()]
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps({"run": snapshot.as_json() if snapshot else None, "runs": runs}))
