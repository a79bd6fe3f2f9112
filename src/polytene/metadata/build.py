"""Build a knowledge base: cut, parse, match, join, publish; every step resumes by itself."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from polytene.core.lock import Lock
from polytene.core.outcome import Outcome
from polytene.metadata.assemble import assemble
from polytene.metadata.clients import once
from polytene.metadata.generations import WORK, generation, later_generations
from polytene.metadata.parser.parse import Engine, check_engine
from polytene.metadata.parsing import Options, parse_sources
from polytene.metadata.plan import SHARD_BYTES, shard_size
from polytene.metadata.publish import unpublish
from polytene.metadata.sources.find import find_sources


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
