"""Build a knowledge base: cut, parse, match, join, publish; every step resumes by itself."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polytene.core.canonical import canonical, digest
from polytene.core.files import write_bytes
from polytene.core.keys import safe_key
from polytene.core.lock import Lock
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.core.reduce import Reduction
from polytene.core.run import opened, run
from polytene.core.stage import Stage
from polytene.metadata import join, match, stages
from polytene.metadata.inputs import bucket_plan, write_inputs
from polytene.metadata.join import join_bucket
from polytene.metadata.marks import Marks, changed_shards
from polytene.metadata.match import match_bucket
from polytene.metadata.parser.parse import Engine, check_engine
from polytene.metadata.plan import (
    SHARD_BYTES,
    Shards,
    parse_plan,
    shard_size,
    spooled_shards,
    tree_shards,
)
from polytene.metadata.publish import publish, unpublish
from polytene.metadata.sources import spool
from polytene.metadata.sources.find import Source, Sources, as_source, find_sources
from polytene.metadata.sources.tree import Listing, list_tree

WORK = "work"
FREE_SHARE = 0.9


@dataclass(frozen=True)
class Options:
    """What a build does with its shards.

    Parameters
    ----------
    shard_bytes
        Size of a shard in bytes, about.
    engine, salvage
        As for :func:`build`.
    """

    shard_bytes: int
    engine: Engine = "auto"
    salvage: bool = False


def build(
    source: str | Path | Iterable[str | Path],
    kb: str | Path,
    *,
    accessions: str | Path | Iterable[str | Path] = (),
    shard_bytes: int | str = SHARD_BYTES,
    engine: Engine = "auto",
    salvage: bool = False,
    limit: int | None = None,
    **running: Any,
) -> Outcome:
    """Build a knowledge base of SRA metadata.

    Parameters
    ----------
    source
        Dump folders (``ACC/ACC.experiment.xml`` and so on), ``.tar.gz`` archives of one,
        ``meta_*_set.xml.gz``, package sets, single documents; one or many, told by content.
    kb
        Folder of the knowledge base; the same call again resumes.
    accessions
        ``SRA_Accessions`` and ``SRA_Run_Members`` tables, where they are not part of the source:
        they tell spots, bases, status and time of update.
    shard_bytes
        Size of what one task parses, about. The answer does not depend on it.
    engine
        ``auto`` and ``numba``: the scanner, and expat for what is odd; ``python``: expat alone.
        The answer does not depend on it.
    salvage
        Keep the complete records of documents that break off; the quarantine table counts them.
    limit
        Only the first so many shards, for a trial.
    **running
        As for :func:`polytene.run`: ``client``, ``max_quarantined``, ``on_change``, ``on_event``,
        ``stop`` and so on.

    Returns
    -------
    Outcome
        Its units are shards, its items documents; ``.rejected`` lists the documents in quarantine,
        and ``.result`` is the manifest of the knowledge base.

    Raises
    ------
    UsageError
        If there is nothing to parse, or an argument is wrong.
    PlanChanged, TooManyFailures, RunLocked, Interrupted, NoSpace
        See :mod:`polytene.exceptions`.

    Examples
    --------
    >>> import tempfile
    >>> from polytene.testing import write_dump
    >>> kb = tempfile.mkdtemp()
    >>> outcome = build(write_dump(submissions=3), kb)
    >>> outcome.result["rows"]["experiment"] > 0
    True
    """
    check_engine(engine)
    extra = [accessions] if isinstance(accessions, str | Path) else list(accessions)
    given = [source] if isinstance(source, str | Path) else list(source)
    found = find_sources([*given, *extra])
    options = Options(shard_size(shard_bytes), engine, salvage)
    kb = Path(kb).absolute()
    with ExitStack() as stack:
        stack.enter_context(Lock(kb / WORK))
        running["client"] = stack.enter_context(once(running.get("client")))
        outcome = parse_sources(found, kb / WORK / "g0000", options, running, limit=limit)
        unpublish(kb)
        earlier = later_generations(kb)
        return assemble(
            kb, [generation(outcome, 0, kb / WORK / "g0000"), *earlier], outcome, running
        )


@contextmanager
def once(client: Any) -> Iterator[Any]:
    """Give several runs one client, which is opened when the first of them needs it."""
    with ExitStack() as stack:
        yield _Once(client, stack)


class _Once:
    """A client that is opened once, however often it is entered."""

    def __init__(self, client: Any, stack: ExitStack) -> None:
        self._stack = stack
        self._find = functools.cache(lambda: stack.enter_context(opened(client)))

    def __enter__(self) -> Any:
        return self._find()

    def __exit__(self, *error: object) -> None:
        pass


def parse_sources(
    sources: Sources,
    folder: Path,
    options: Options,
    running: dict[str, Any],
    *,
    limit: int | None = None,
    only: dict[Path, Listing] | None = None,
    known: Path | None = None,
) -> Outcome:
    """Cut files into shards, and parse all shards; the result lists what each one left.

    Parameters
    ----------
    folder
        Where the runs lie.
    only
        Per tree, the entries to parse; all without it.
    known
        File of what submissions were: of files, those that are still the same are left out.
    """
    listings = only or {root: list_tree(root) for root in sources.trees}
    shards: list[Any] = list(tree_shards(listings, options.shard_bytes))
    cut = None
    if sources.files:
        cut = _cut(sources, folder / "spool", options, known, running)
        shards.append(spooled_shards(cut.result))
    if only is not None and not any(len(s) for s in shards):
        return Outcome([], 0, 0, 0, directory=str(folder))
    marks = Marks(folder / "marks.json")
    outcome = _parse(marks.on(Shards(shards)), folder, options, running, limit)
    if outcome.resumed and (changed := changed_shards(outcome.result)):
        if running.get("on_change") == "rerun":
            marks.save(changed)
        marks.now |= changed
        outcome = _parse(marks.on(Shards(shards)), folder, options, running, limit)
    if cut is None:
        return outcome
    return replace(
        outcome,
        planned=outcome.planned + len(cut.quarantined),
        quarantined=[*cut.quarantined, *outcome.quarantined],
        rejected=[*cut.rejected, *outcome.rejected],
    )


def _parse(
    shards: Any, folder: Path, options: Options, running: dict[str, Any], limit: int | None
) -> Outcome:
    plan = parse_plan(shards, engine=options.engine, salvage=options.salvage)
    if limit:
        plan = plan.head(limit)
    stage = Stage(functools.partial(stages.parse_shard, **plan.params), memory=stages.MEMORY)
    return run(plan, [stage], Reduction(None, _listed), run_dir=folder / "parse", **running)


def _cut(
    sources: Sources, run_dir: Path, options: Options, known: Path | None, running: dict[str, Any]
) -> Outcome:
    names = _keys(sources.files)
    units = [as_source(path, name) for path, name in zip(sources.files, names, strict=True)]
    params: dict[str, Any] = {"shard_bytes": options.shard_bytes}
    if known is not None:
        params["known"] = str(known)
    plan: Plan[Source] = Plan("metadata-cut", units, params, noun="source")
    stage = Stage(functools.partial(spool.spool, **params), memory=spool.MEMORY)
    run_dir.mkdir(parents=True, exist_ok=True)
    limits = {"disk": FREE_SHARE * shutil.disk_usage(run_dir).free}
    return run(plan, [stage], Reduction(None, _keyed), run_dir=run_dir, limits=limits, **running)


def _keys(paths: Iterable[Path]) -> list[str]:
    names = [safe_key(p.name)[:150] for p in paths]
    return [
        name if names.count(name) == 1 else f"{name}-{digest(str(path).encode(), 4)}"
        for name, path in zip(names, paths, strict=True)
    ]


def _keyed(values: Any, plan: Any, failures: Any) -> list[tuple[str, Any]]:
    return [(unit.key, folder) for unit, folder in values]


def _listed(values: Any, plan: Any, failures: Any) -> list[dict[str, Any]]:
    """Return what each unit left: its folder, and what its receipt says."""
    return [
        {"folder": str(value.path), "place": getattr(unit, "place", ""),
         "entries": getattr(unit, "entries", ""), **value.info}
        for unit, value in values
    ]  # fmt: skip


def generation(
    outcome: Outcome, number: int, folder: Path, replaces: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the shards of one generation, before them one that says what it replaces."""
    shards: list[dict[str, Any]] = outcome.result
    uncut = [[f.item, f.reason, f.detail] for f in outcome.rejected if f.stage == "spool"]
    kept = [{k: v for k, v in s.items() if k not in ("place", "entries")} for s in shards]
    names = list(replaces)
    empty = {"rows": {}, "documents": 0, "bytes": 0, "files": {}, "identity": ""}
    head = [{"key": f"replaced.{number:04d}", "folder": str(folder), **empty}] if number else []
    return [
        {
            **shard,
            "generation": number,
            "replaces": names if i == 0 else [],
            "uncut": uncut if i == 0 else [],
        }
        for i, shard in enumerate([*head, *kept])
    ]


def save_generation(folder: Path, shards: list[dict[str, Any]]) -> None:
    """Write the shards of an update, so that later joins take them in."""
    here = [{**s, "folder": os.path.relpath(s["folder"], folder)} for s in shards]
    write_bytes(folder / "shards.json", canonical(here))


def later_generations(kb: Path) -> list[list[dict[str, Any]]]:
    """Return the shards of earlier updates, a list per generation."""
    out = []
    for path in sorted((kb / WORK).glob("g*/shards.json")):
        found: list[dict[str, Any]] = json.loads(path.read_bytes())
        out.append([{**s, "folder": os.path.normpath(path.parent / s["folder"])} for s in found])
    return out


def assemble(
    kb: Path, generations: list[list[dict[str, Any]]], outcome: Outcome, running: dict[str, Any]
) -> Outcome:
    """Join what all shards of all generations left, and publish it; return the whole outcome."""
    work = kb / WORK
    shards = [
        {**s, "folder": str(Path(s["folder"]).relative_to(work))} for g in generations for s in g
    ]
    again = {**running, "on_change": "rerun"}  # what the joins read has a digest of its own
    rows: dict[str, int] = {}
    for shard in shards:
        for name, n in shard["rows"].items():
            rows[name] = rows.get(name, 0) + n
    mark = write_inputs(shards, work / "inputs.json")
    where: dict[str, Any] = {"inputs": str(work / "inputs.json"), "mark": mark}
    matched = _match(work, rows, where, again)
    listed = work / f"matched-{mark[:12]}.txt"
    write_bytes(
        listed, "".join(f"{Path(m['folder']).relative_to(work)}\n" for m in matched).encode()
    )
    joined = _join(work, rows, {**where, "matched": str(listed)}, again)
    manifest = publish(kb, shards, matched, joined)
    return replace(outcome, result=manifest)


def _match(
    work: Path, rows: dict[str, int], where: dict[str, Any], running: dict[str, Any]
) -> list[dict[str, Any]]:
    kinds = {
        "run": rows.get("run", 0) + rows.get("run_member", 0),
        "sample": rows.get("sample", 0) + rows.get("experiment", 0),
        "study": rows.get("study", 0) + rows.get("experiment", 0),
    }
    plan = bucket_plan("metadata-match", kinds, {"mark": where["mark"]})
    stage = Stage(functools.partial(match_bucket, **where), memory=match.MEMORY)
    outcome = run(plan, [stage], Reduction(None, _listed), run_dir=work / "match", **running)
    outcome.raise_if_incomplete()
    found: list[dict[str, Any]] = outcome.result
    return found


def _join(
    work: Path, rows: dict[str, int], where: dict[str, Any], running: dict[str, Any]
) -> list[dict[str, Any]]:
    kinds = {"experiment": rows.get("experiment", 0) + rows.get("run", 0)}
    plan: Plan[Any] = bucket_plan("metadata-join", kinds, {"mark": where["mark"]})
    stage = Stage(functools.partial(join_bucket, **where), memory=join.MEMORY)
    outcome = run(plan, [stage], Reduction(None, _listed), run_dir=work / "join", **running)
    outcome.raise_if_incomplete()
    found: list[dict[str, Any]] = outcome.result
    return found
