"""Pieces of HTML that the live page and the report share; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape

from dask.utils import format_bytes

from polytene.core.failure import Failure
from polytene.watch.pictures import COLOURS, RUNNING, Picture
from polytene.watch.progress import printable
from polytene.watch.story import DONE, FAILED, PARTLY, WAITING, Story

STYLE = """
.pt { font: 14px/1.45 system-ui, sans-serif; color: #1d2733; }
.pt h1 { font-size: 22px; margin: 4px 0 2px; } .pt h2 { font-size: 17px; margin: 22px 0 6px; }
.pt .path { color: #5b6775; font-family: ui-monospace, monospace; font-size: 12px; }
.pt .facts { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; }
.pt .fact { background: #f3f5f8; border-radius: 6px; padding: 6px 12px; min-width: 84px; }
.pt .fact b { display: block; font-size: 17px; font-variant-numeric: tabular-nums; }
.pt .fact span { color: #5b6775; font-size: 12px; }
.pt .bad b { color: #c5383c; }
.pt .bar { display: flex; height: 16px; border-radius: 4px; overflow: hidden; background: #dfe4ea; }
.pt .bar i { display: block; height: 100%; }
.pt table { border-collapse: collapse; } .pt th { text-align: left; font-weight: 600; }
.pt td, .pt th { padding: 3px 10px 3px 0; border-bottom: 1px solid #e6eaef; vertical-align: top; }
.pt td.n, .pt th.n { text-align: right; font-variant-numeric: tabular-nums; }
.pt code { font-size: 12px; white-space: pre-wrap; word-break: break-all; }
.pt .strip td, .pt .strip th { border: 0; white-space: nowrap; }
.pt .strip th { width: 200px; max-width: 200px; overflow: hidden; text-overflow: ellipsis; }
.pt .strip td.k { width: 170px; }
:host > .bk-clearfix { width: 100%; }
.pt .key { display: inline-block; width: 11px; height: 11px; margin: 0 4px 0 12px; }
.pt .note { color: #5b6775; font-size: 12px; }
"""


def escape(text: object) -> str:
    """Return a text for HTML; control characters are spelled out."""
    return _escape(printable(str(text)))


def escape_lines(text: str) -> str:
    """Return a text of several lines for HTML."""
    return _escape(printable(text, keep="\n"))


def caption(picture: Picture) -> str:
    """Return title, note and legend of a picture."""
    keys = "".join(
        f"<span class='key' style='background:{colour}'></span>{escape(name)}"
        for colour, name in picture.legend
    )
    note = f" <span class='note'>{escape(picture.note)}</span>" if picture.note else ""
    title = f"<h2>{escape(picture.title)}{note}</h2>"
    return f"<div class='pt'>{title}<div class='note'>{keys}</div></div>"


def facts(values: Iterable[tuple[str, str]], bad: Sequence[str] = ()) -> str:
    """Return figures with their names."""
    cells = "".join(
        f"<div class='fact{' bad' if name in bad else ''}'>"
        f"<b>{escape(value)}</b><span>{escape(name)}</span></div>"
        for name, value in values
    )
    return f"<div class='facts'>{cells}</div>"


def strip(story: Story, running: Iterable[tuple[int, int]] = ()) -> str:
    """Return a bar per stage: blocks that are done, failed, running and waiting."""
    running = list(running)
    rows = []
    for leg, name in enumerate(story.legs):
        states = story.cells[leg]["state"]
        counts = {s: int((states == s).sum()) for s in (DONE, PARTLY, FAILED)}
        waits = len(states) - sum(counts.values())
        busy = min(waits, sum(n == leg for n, _ in running))
        pieces = [(COLOURS[s], n) for s, n in counts.items()]
        pieces += [(RUNNING, busy), (COLOURS[WAITING], waits - busy)]
        bar = "".join(
            f"<i style='width:{100 * n / max(1, len(states)):.3f}%;background:{colour}'></i>"
            for colour, n in pieces
            if n
        )
        ended = sum(counts.values())
        told = f"{ended:,} of {len(states):,}" + (f", {busy} running" if busy else "")
        rows.append(_strip_row(name, f"<div class='bar'>{bar}</div>", told))
    return f"<table class='strip' style='width:100%'>{''.join(rows)}</table>"


def gauges(limits: Mapping[str, Sequence[float]]) -> str:
    """Return a bar per limit: how much of it is held."""
    rows = []
    for name, (used, total) in limits.items():
        large, bounded = name.endswith("disk"), 0 < total < float("inf")
        if not bounded and not (large and used):
            continue
        share = min(100.0, 100 * used / total) if bounded else 0.0
        bar = f"<div class='bar'><i style='width:{share:.2f}%;background:#6a8fb5'></i></div>"
        told = f"{size(used)} of {size(total)}" if large else f"{round(used, 2):g} of {total:g}"
        told = told if bounded else f"{size(used)} held"
        rows.append(_strip_row(name, bar if bounded else "", told))
    return f"<table class='strip' style='width:100%'>{''.join(rows)}</table>" if rows else ""


def _strip_row(name: str, bar: str, told: str) -> str:
    return f"<tr><th>{escape(name)}</th><td class='w'>{bar}</td><td class='k'>{told}</td></tr>"


def size(nbytes: float) -> str:
    """Return bytes as people read them."""
    return str(format_bytes(int(nbytes)))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """Return a table; columns named in ``right`` hold numbers."""

    def cells(tag: str, row: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=n' if i in right else ''}>{escape(value)}</{tag}>"
            for i, value in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', heads)}</tr>{body}</table>"


def failures_table(failures: Sequence[Failure], noun: str) -> str:
    """Return units that failed and items that were rejected, with their reasons."""
    heads = (noun, "item", "stage", "category", "reason", "detail")
    rows = [(f.key, f.item or "", f.stage, f.category, f.reason, f.detail) for f in failures]
    return table(heads, rows)
