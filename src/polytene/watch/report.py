"""``report.html``: one file that says all of a run, made from its directory at any moment."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polytene.core.files import write_bytes
from polytene.core.lock import holder
from polytene.core.recorded import Recorded, recorded, reproduce_line
from polytene.watch import markup, timeline
from polytene.watch.markup import escape
from polytene.watch.pictures import Picture
from polytene.watch.rates import clock_text, plural
from polytene.watch.status import state_of
from polytene.watch.story import Story
from polytene.watch.tables import WHAT_NOW
from polytene.watch.views import view_of

NAME = "report.html"
BUDGET = 60.0
MOST_FAILURES = 200
LONGEST = 6000


def report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run that works, has ended, or was killed.

    Parameters
    ----------
    folder
        The run directory; it is only read.
    output
        The HTML file, which loads nothing from elsewhere; None: ``report.html`` in the folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the folder is not a run directory.
    """
    story = Story(folder)
    ended = story.read_on()
    path = Path(output) if output else story.root / NAME
    write_bytes(path, page(story, ended).encode())
    return path


def page(story: Story, ended: list[int]) -> str:
    """Return the report of a story; ``ended``: the blocks whose values may be shown."""
    from bokeh.embed import components
    from bokeh.resources import Resources

    from polytene.watch.draw import Drawing

    view = view_of(story)
    end = time.monotonic() + BUDGET
    left = view.take_in(ended, lambda: time.monotonic() < end)
    pictures: list[Picture | None] = [
        *view.pictures([]),
        timeline.timeline(story),
        timeline.pace(story),
    ]
    models: list[Any] = [Drawing(p).model for p in pictures if p is not None]
    more = view.figures()
    script, places = components([*models, *(model for _, model in more)], wrap_script=True)
    drawn = "".join(places[: len(models)])
    for (title, _), place in zip(more, places[len(models) :], strict=True):
        drawn += f"<h2>{escape(title)}</h2>{place}"
    kinds = ["bokeh", "bokeh-widgets", *(["bokeh-gl"] if more else [])]
    command = recorded(story.root)
    body = "".join(
        [
            _summary(story, command, len(left)),
            f"<h2>Stages</h2>{markup.strip(story)}",
            drawn,
            _resources(story),
            _failures(story, command),
            _provenance(story),
        ]
    )
    resources = Resources(mode="inline", components=kinds).render()
    title = escape(f"{story.kind}: {story.root.name}")
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>body {{ margin: 24px auto; max-width: 1200px; padding: 0 20px; }}{markup.STYLE}"
        f"</style>{resources}</head><body><div class='pt'>{body}</div>{script}</body></html>\n"
    )


def _state(story: Story) -> str:
    events: list[dict[str, Any]] = [{"event": "begin"}] if story.drivers else []
    if story.drivers and story.drivers[-1].ended is not None:
        events.append({"event": "end", "status": story.drivers[-1].status})
    return state_of(story.root, events)


def _summary(story: Story, command: Recorded | None, left: int) -> str:
    totals, state = story.totals, _state(story)
    seconds = sum(max(0.0, (d.ended or d.begun) - d.begun) for d in story.drivers)
    values = [
        (plural(story.noun), f"{totals.units:,}"),
        ("done", f"{totals.done:,}"),
        ("left", f"{totals.units - totals.done - totals.quarantined:,}"),
        ("quarantined", f"{totals.quarantined:,}"),
        ("items", f"{totals.items:,}"),
        ("items rejected", f"{totals.rejected:,}"),
        ("read", markup.size(totals.nbytes)),
        ("took", clock_text(seconds) if seconds else "?"),
    ]
    bad = [name for name, n in totals.bad.items() if n]
    said = " - ".join(filter(None, [state, WHAT_NOW[state]]))
    line = f"<p>Command: <code>{escape(command.line())}</code></p>" if command else ""
    notes = [f"Written {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC."]
    if story.damaged:
        notes.append(f"{story.damaged:,} lines of the ledger are damaged; its parts tell the rest.")
    if left:
        notes.append(f"The room's pictures leave out {left:,} blocks: reading them took too long.")
    return (
        f"<h1>{escape(story.kind)}: {escape(said)}</h1>"
        f"<div class='path'>{escape(story.root.absolute())}</div>{markup.facts(values, bad)}{line}"
        f"<p class='note'>{escape(' '.join(notes))}</p>"
    )


def _resources(story: Story) -> str:
    stages = markup.table(timeline.stage_heads(story), timeline.by_stage(story), range(1, 12))
    workers = markup.table(timeline.WORKER_HEADS, timeline.by_worker(story), range(1, 5))
    note = (
        "CPU: of the worker's thread, in percent of its time; external programs are not in it. "
        "Peak memory: the most that a worker process has held by the end of the stage. "
        "GPU, where NVML answers: the most bytes in use, and the mean use, as blocks ended."
    )
    return f"<h2>Resources</h2>{stages}<p class='note'>{note}</p>{workers}"


def _failures(story: Story, command: Recorded | None) -> str:
    totals = story.totals
    n = totals.quarantined + totals.rejected
    if not n and not story.reasons:
        return "<h2>Failures</h2><p>None.</p>"
    reasons = markup.table(
        ("reason", "times"), [(r, f"{k:,}") for r, k in story.reasons.items()], [1]
    )
    rows = []
    for f in story.failures(MOST_FAILURES):
        cells = [f.key, f.item or "", f.stage, f.category, f.reason, f.detail]
        again = f"<td><code>{escape(reproduce_line(command, f.key))}</code></td>"
        rows.append("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + again + "</tr>")
    heads = (story.noun, "item", "stage", "category", "reason", "detail", "alone, to see why")
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    listing = f"<code>polytene quarantine {escape(story.root)}</code>"
    more = f"<p>The first {len(rows):,}; all: {listing}</p>"
    return (
        f"<h2>Failures</h2>{reasons}<br><table><tr>{head}</tr>{''.join(rows)}</table>"
        f"{more if len(rows) >= MOST_FAILURES else ''}"
    )


def _provenance(story: Story) -> str:
    head = story.plan.head
    drivers = [
        (d.epoch, _moment(d.begun), _moment(d.ended), d.status or "no end was noted", d.detail)
        for d in story.drivers
    ]
    found = story.drivers[-1].versions if story.drivers else head.get("versions", {})
    params = json.dumps(head["params"], indent=1, sort_keys=True)
    if len(params) > LONGEST:
        params = f"{params[:LONGEST]} ... ({len(params):,} characters)"
    last = holder(story.root)
    who = f"{last['host']}, process {last['pid']}" if last else "nobody"
    about = [
        ("fingerprint of the plan", head["fingerprint"]),
        ("units a block, blocks", f"{head['block']}, {len(story.plan.index):,}"),
        ("last driver", who),
    ]
    return (
        f"<h2>Provenance</h2>{markup.table(('', ''), about)}"
        f"<h2>Drivers</h2>{markup.table(('', 'begun', 'ended', 'end', ''), drivers)}"
        f"<h2>Versions</h2>{markup.table(('', ''), found.items())}"
        f"<h2>Parameters</h2><pre class='note'>{markup.escape_lines(params)}</pre>"
    )


def _moment(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds else ""
