"""The order of sequences in a result: that of the plan, else that in which they come."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from polytene.formats.regions import close_names
from polytene.formats.text import decode
from polytene.genome.chunks import ChunkPlan
from polytene.genome.merging.files import Part, wrong


class Ranks:
    """Gives each sequence its place.

    Parameters
    ----------
    seqids
        All sequences, in order; None: any sequence is taken, in the order in which they come.
    """

    def __init__(self, seqids: Iterable[str] | None = None) -> None:
        self._closed = seqids is not None
        self._ranks: dict[bytes, int] = {}
        for seqid in seqids or ():
            self._ranks.setdefault(seqid.encode(errors="surrogateescape"), len(self._ranks))

    @classmethod
    def of_plan(cls, plan: ChunkPlan | None) -> Ranks:
        """Return the order of a plan's sequences."""
        if plan is None:
            return cls()
        return cls(region.seqid for chunk in plan for region in chunk.intervals)

    def rank(self, seqid: bytes, part: Part, line: int) -> int:
        """Return the place of a sequence that stands in a line of a part.

        Raises
        ------
        BadInput
            ``unknown-seqid`` if the plan does not hold it.
        """
        found = self._ranks.get(seqid)
        if found is None:
            found = self._add(seqid, part, line)
        return found

    def _add(self, seqid: bytes, part: Part, line: int) -> int:
        plain = unquote_to_bytes(seqid)
        if plain in self._ranks:
            found = self._ranks[plain]
        elif self._closed:
            near = close_names(decode(plain), (decode(s) for s in self._ranks))
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise wrong(
                part, line, "unknown-seqid", f"{decode(seqid)!r} is not in the chunk plan{hint}"
            )
        else:
            found = len(self._ranks)
        self._ranks[seqid] = found
        return found
