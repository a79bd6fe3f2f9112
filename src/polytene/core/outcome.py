"""What a run came to."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from polytene.core.failure import Failure
from polytene.exceptions import IncompleteRun


@dataclass(frozen=True)
class Outcome:
    """What a run came to: ``planned == computed + resumed + len(quarantined)``, always.

    Parameters
    ----------
    result
        What the reduction's ``finalize`` returned.
    planned, computed, resumed
        Units of the plan, units done by this run, units done before it.
    quarantined
        Units that failed, in plan order.
    rejected
        Items inside units that could not be used, in plan order.
    items
        Items that were seen inside the units, rejected ones included.
    removed
        Units of the run directory's earlier plan that are no longer asked for.
    directory
        The run directory.
    """

    result: Any
    planned: int
    computed: int
    resumed: int
    quarantined: list[Failure] = field(default_factory=list)
    rejected: list[Failure] = field(default_factory=list)
    items: int = 0
    removed: list[str] = field(default_factory=list)
    directory: str = ""

    @property
    def complete(self) -> bool:
        """Whether every unit and every item was used."""
        return not self.quarantined and not self.rejected

    def raise_if_incomplete(self) -> None:
        """Raise :class:`polytene.exceptions.IncompleteRun` unless everything was used."""
        if not self.complete:
            first = (self.quarantined or self.rejected)[0]
            raise IncompleteRun(
                f"{self.summary()}. The first: {first}\nAll: polytene quarantine {self.directory}"
            )

    def summary(self) -> str:
        """Return the counts as one sentence."""
        text = (
            f"{self.planned:,} planned: {self.computed:,} computed, {self.resumed:,} resumed, "
            f"{len(self.quarantined):,} quarantined"
        )
        return f"{text}, {len(self.rejected):,} items rejected" if self.rejected else text

    def __repr__(self) -> str:
        return f"<Outcome {self.summary()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(f.key)}</td><td>{html.escape(f.item or '')}</td>"
            f"<td>{html.escape(f.reason)}</td><td>{html.escape(f.detail)}</td></tr>"
            for f in [*self.quarantined, *self.rejected][:20]
        )
        table = (
            f"<table><tr><th>unit<th>item<th>reason<th>detail</tr>{rows}</table>" if rows else ""
        )
        return f"<b>{html.escape(self.summary())}</b>{table}"
