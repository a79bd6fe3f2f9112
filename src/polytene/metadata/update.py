"""Bring a knowledge base up to date: only what changed is parsed, as a new generation."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polytene.core.lock import Lock
from polytene.core.outcome import Outcome
from polytene.exceptions import UsageError
from polytene.metadata.assemble import assemble
from polytene.metadata.clients import once
from polytene.metadata.generations import WORK, generation, later_generations, save_generation
from polytene.metadata.inputs import read_inputs
from polytene.metadata.kb.base import open as open_base
from polytene.metadata.marks import THREADS
from polytene.metadata.parser.parse import Engine, check_engine
from polytene.metadata.parsing import Options, parse_sources
from polytene.metadata.plan import SHARD_BYTES, shard_size
from polytene.metadata.publish import unpublish
from polytene.metadata.seen import SEEN, read_seen, write_seen
from polytene.metadata.sources.find import find_sources
from polytene.metadata.sources.tree import Listing, identity_of, list_tree


def update(
    kb: str | Path,
    source: str | Path | Iterable[str | Path],
    *,
    shard_bytes: int | str = SHARD_BYTES,
    engine: Engine = "auto",
    salvage: bool = False,
    complete: bool = False,
    **running: Any,
) -> Outcome:
    """Parse the submissions of a source that are new or changed, and join everything again.

    A submission that changed replaces all of what it was. Submissions that the source lacks stay,
    unless it is ``complete``.

    Parameters
    ----------
    kb
        A knowledge base.
    source
        The same tree as before, a newer archive, or a daily increment; as for :func:`build`.
    complete
        The source, a tree, is the whole dump: submissions that it no longer has are removed.
    shard_bytes, engine, salvage, **running
        As for :func:`build`.

    Returns
    -------
    Outcome
        Its units are the shards of what changed.

    Raises
    ------
    UsageError
        If ``kb`` is no knowledge base, or an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.
    """
    check_engine(engine)
    options = Options(shard_size(shard_bytes), engine, salvage)
    sources = find_sources(source)
    if complete and sources.files:
        raise UsageError("complete: only a folder that is the whole dump tells what is gone")
    kb = Path(kb).absolute()
    with ExitStack() as stack:
        stack.enter_context(Lock(kb / WORK))
        running["client"] = stack.enter_context(once(running.get("client")))
        before = _before(kb)
        number = 1 + max(s["generation"] for s in before)
        folder = kb / WORK / f"g{number:04d}"
        folder.mkdir(exist_ok=True)
        seen = read_seen(_seen_files([kb / WORK / s["folder"] for s in before]))
        write_seen(seen, folder / "known.arrow")
        changed, gone = _changed(sources.trees, seen)
        gone = gone if complete else set()
        if not sources.files and not any(len(c.entries) for c in changed.values()) and not gone:
            return _again(kb, before, running)
        outcome = parse_sources(
            sources, folder, options, running, only=changed, known=folder / "known.arrow"
        )
        replaced = gone | set(read_seen(_seen_files([Path(s["folder"]) for s in outcome.result])))
        if not replaced and not outcome.result:
            return _again(kb, before, running)
        unpublish(kb)
        shards = generation(outcome, number, folder, sorted(replaced))
        save_generation(folder, shards)
        return assemble(kb, _generations(kb, before), outcome, running)


def _before(kb: Path) -> list[dict[str, Any]]:
    path = kb / WORK / "inputs.json"
    if not path.exists():
        raise UsageError(f"{kb} is no knowledge base that is built: build it first")
    return read_inputs(path)


def _generations(kb: Path, before: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    first = [{**s, "folder": str(kb / WORK / s["folder"])} for s in before if not s["generation"]]
    return [first, *later_generations(kb)]


def _again(kb: Path, before: list[dict[str, Any]], running: dict[str, Any]) -> Outcome:
    """Return that nothing changed; publish what an earlier update left undone."""
    nothing = Outcome([], 0, 0, 0, directory=str(kb / WORK))
    try:
        return replace(nothing, result=open_base(kb).manifest)
    except UsageError:
        return assemble(kb, _generations(kb, before), nothing, running)


def _seen_files(folders: Iterable[Path]) -> list[Path]:
    return [path for f in folders if (path := f / SEEN).exists()]


def _changed(trees: Iterable[Path], seen: dict[str, str]) -> tuple[dict[Path, Listing], set[str]]:
    """Return, per tree, the entries that are new or changed, and those that are gone."""
    out, present = {}, set()
    for root in trees:
        names = [n.decode() for n in list_tree(root).entries.tolist()]
        present |= set(names)
        with ThreadPoolExecutor(THREADS) as pool:
            now = pool.map(partial(identity_of, root), names, chunksize=64)
            changed = [n for n, mark in zip(names, now, strict=True) if seen.get(n) != mark]
        out[root] = Listing(np.array([n.encode() for n in changed], dtype=bytes))
    return out, set(seen) - present
