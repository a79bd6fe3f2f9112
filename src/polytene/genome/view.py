"""A plan as people look at it: lines of text, and an ideogram in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polytene.formats.regions import Region
    from polytene.genome.chunks import ChunkPlan, GenomicChunk

LINES, FEW, SMALL, CELLS = 24, 8, 20, 60
SHADES = "\u2588\u2593\u2592"
WIDTH, ROW, BAR = 720, 22, 14
MOST_RECTS = 4000
PALE, DARK = (235, 242, 247), (24, 76, 120)

Spans = list[tuple["GenomicChunk", "Region"]]


def describe(plan: ChunkPlan) -> str:
    """Return a plan as lines of text: its figures, and its sequences with alternating chunks."""
    rows = [f"{plan!r}"[1:-1], *(f"  {name}: {value}" for name, value in figures(plan))]
    sequences, others = _sequences(plan)
    longest = max(size for _, size, _ in sequences)
    name_width = min(24, max(len(name) for name, _, _ in sequences))
    rows.append("")
    for name, size, spans in sequences:
        bar = _text_bar(spans, size, max(1, round(CELLS * size / longest)))
        n = len({chunk.index for chunk, _ in spans})
        rows.append(f"{name[:name_width]:{name_width}} {bar:{CELLS}} {size:>13,} bp in {n:,}")
    if others:
        rows.append(f"... {others}")
    return "\n".join(rows)


def figures(plan: ChunkPlan) -> list[tuple[str, str]]:
    """Return what there is to say of a plan, as names and values."""
    found = plan.quality()
    rows = [("chunks", f"{len(plan):,}"), ("dearest over mean", f"{found['max_over_mean']:.4f}")]
    certificate = found.get("certificate")
    if certificate:
        rows.append(("dearest over lower bound", f"{found['max_over_lower_bound']:.4f}"))
        best = f"a dearest chunk of less takes {certificate['chunks_needed_below']} chunks"
        other = f"not the best: {certificate['least_max_cost']:,.0f} is possible"
        rows.append(("certificate", best if certificate["optimal"] else other))
    if plan.total_genes is not None:
        rows.append(("genes", f"{plan.total_genes:,}, {found['split'] or 0:,} cut"))
    if found["atom_bound"]:
        rows.append(("bound by", "one group of genes that must not be cut"))
    if found["uncovered"]:
        rows.append(("uncovered", f"{found['uncovered']:,} bp"))
    return rows


def _sequences(plan: ChunkPlan) -> tuple[list[tuple[str, int, Spans]], str]:
    """Return the longest sequences with their intervals, in genome order; and what is left out."""
    spans: dict[str, Spans] = {}
    for chunk in plan:
        for region in chunk.intervals:
            spans.setdefault(region.seqid, []).append((chunk, region))
    sizes = {name: max(r.end for _, r in found) for name, found in spans.items()}
    ranked = sorted(sizes, key=lambda n: -sizes[n])[:LINES]
    kept = {n for i, n in enumerate(ranked) if i < FEW or sizes[n] * SMALL > sizes[ranked[0]]}
    shown = [(name, sizes[name], spans[name]) for name in sizes if name in kept]
    rest = [name for name in sizes if name not in kept]
    if not rest:
        return shown, ""
    chunks = {chunk.index for name in rest for chunk, _ in spans[name]}
    bases = sum(sizes[name] for name in rest)
    pooled = f"{len(chunks):,} chunk{'s' if len(chunks) > 1 else ''}"
    return shown, f"and {len(rest):,} shorter sequences, {bases:,} bp in {pooled}"


def _text_bar(spans: Spans, size: int, cells: int) -> str:
    """Return a bar whose shade changes from chunk to chunk."""
    bar = [" "] * cells
    for chunk, region in spans:
        first = region.start * cells // size
        for cell in range(first, max(first + 1, -(-region.end * cells // size))):
            if cell < cells:
                bar[cell] = SHADES[chunk.index % len(SHADES)]
    return "".join(bar)


def to_html(plan: ChunkPlan) -> str:
    """Return a plan as HTML: its figures, and an ideogram that is dark where genes are dense."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td>{html.escape(value)}</td></tr>"
        for name, value in figures(plan)
    )
    return f"<b>{html.escape(repr(plan)[1:-1])}</b><table>{cells}</table>{ideogram(plan)}"


def ideogram(plan: ChunkPlan) -> str:
    """Return an SVG with a bar per sequence, cut into its chunks."""
    sequences, others = _sequences(plan)
    longest = max(size for _, size, _ in sequences)
    dense = max((_density(c) for c in plan), default=0)
    left = 12 + 7 * min(20, max(len(name) for name, _, _ in sequences))
    parts = []
    for row, (name, size, spans) in enumerate(sequences):
        y = row * ROW
        label = html.escape(name[:20])
        parts.append(f"<text x='{left - 6}' y='{y + 12}' text-anchor='end'>{label}</text>")
        parts += _rects(spans, WIDTH / longest, left, y, dense)
        parts.append(
            f"<rect x='{left}' y='{y}' width='{max(1, WIDTH * size / longest):.1f}' "
            f"height='{BAR}' rx='5' fill='none' stroke='#334'/>"
        )
    height = len(sequences) * ROW
    if dense:
        others = ". ".join(filter(None, [others, "Dark: many genes per base"]))
    if others:
        parts.append(f"<text x='{left}' y='{height + 12}' fill='#556'>{others}</text>")
        height += ROW
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{left + WIDTH + 10}' height='{height}' "
        f"font-family='sans-serif' font-size='12'>{''.join(parts)}</svg>"
    )


def _rects(spans: Spans, scale: float, left: int, y: int, dense: float) -> Iterator[str]:
    step = max(1, len(spans) * LINES // MOST_RECTS)
    for chunk, (seqid, start, end) in spans[::step]:
        genes = "" if chunk.n_genes is None else f", {chunk.n_genes:,} genes"
        title = f"{chunk.chunk_id}: {seqid}:{start + 1:,}-{end:,}{genes}"
        yield (
            f"<rect x='{left + start * scale:.1f}' y='{y}' width='{(end - start) * scale:.1f}' "
            f"height='{BAR}' fill='{_colour(chunk, dense)}' stroke='white' stroke-width='0.6'>"
            f"<title>{html.escape(title)}</title></rect>"
        )


def _density(chunk: GenomicChunk) -> float:
    return (chunk.n_genes or 0) / chunk.size


def _colour(chunk: GenomicChunk, dense: float) -> str:
    if chunk.n_genes is None or not dense:
        return ("#9db8cc", "#c3d3df")[chunk.index % 2]
    share = (_density(chunk) / dense) ** 0.5
    mixed: list[Any] = [round(p + share * (d - p)) for p, d in zip(PALE, DARK, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"
