"""What will be done: ordered units with their parameters."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from polytene.core.canonical import Json, plain
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from dask.bag import Bag
    from dask.delayed import Delayed

    from polytene.core.saved import SavedPlan
    from polytene.core.stage import Stage


@dataclass(frozen=True)
class Unit:
    """One input of a plan; subclass it with plain fields that JSON can hold.

    Parameters
    ----------
    key
        Unique in its plan and safe as a file name; see :func:`polytene.safe_key`.
    cost
        Relative work, such as bytes: the longest units start first and the ETA is in its terms.
    """

    key: str
    cost: float = field(default=1.0, kw_only=True)

    @property
    def footprint(self) -> Mapping[str, float]:
        """What the unit holds from its admission until it is settled: ``{"disk": bytes}``.

        The most that it holds at any moment, over all its stages. A limit of that name has to
        be given to the run. Names that begin with ``host.`` pin the unit to one host.
        """
        return {}


U = TypeVar("U", bound=Unit)


class Plan(Generic[U]):
    """Ordered units and the parameters that decide what is computed from them.

    Parameters
    ----------
    kind
        What the plan is for, such as ``"codons-count"``.
    units
        A list, or any object that can be iterated more than once and has a length.
    params
        Parameters that change what is computed from a unit, as JSON; nothing about workers or
        memory. Another value here means that all units are computed anew.
    final
        Parameters that only the last step reads, once all units are done. They are written
        down, and another value here keeps all work.
    block
        Mean number of units that share one part file. Block ends follow the hash of the keys,
        so that added units leave most blocks as they are. Part of the fingerprint.
    noun
        What one unit is called where people read, such as ``"batch"``.

    Examples
    --------
    >>> plan = Plan("squares", [Unit("a"), Unit("b")], {"power": 2})
    >>> len(plan), plan.fingerprint[:8]
    (2, 'ea522cdf')
    """

    def __init__(
        self,
        kind: str,
        units: Sequence[U] | Iterable[U],
        params: Mapping[str, Json] | None = None,
        *,
        final: Mapping[str, Json] | None = None,
        block: int = 1,
        noun: str = "unit",
    ) -> None:
        if not hasattr(units, "__len__"):
            units = list(units)
        if block < 1:
            raise UsageError(f"block is {block}: a block holds at least one unit")
        self.kind = kind
        self.units: Any = units
        self.params = plain(dict(params or {}), "params")
        self.final = plain(dict(final or {}), "final")
        self.block = block
        self.noun = noun
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        return len(self.units)

    def __iter__(self) -> Iterator[U]:
        return iter(self.units)

    @property
    def fingerprint(self) -> str:
        """Digest of kind, parameters, block size and every unit, 32 hexadecimal digits."""
        if self._fingerprint is None:
            from polytene.core.saved import fingerprint

            self._fingerprint = fingerprint(self)
        return self._fingerprint

    def save(self, folder: str | Path) -> SavedPlan[U]:
        """Write the plan to a run directory, whole or not at all."""
        from polytene.core.saved import save

        return save(self, Path(folder))

    @staticmethod
    def load(folder: str | Path, unit_type: type[U] | None = None) -> Plan[U]:
        """Return the plan that a run directory holds, without listing its units again.

        ``unit_type`` is needed only where the class of the units cannot be imported.
        """
        from polytene.core.saved import load

        return load(Path(folder), unit_type).plan()

    def subset(self, keys: Iterable[str]) -> Plan[U]:
        """Return the plan of some units, in plan order."""
        wanted = set(keys)
        units = [u for u in self if u.key in wanted]
        if missing := wanted - {u.key for u in units}:
            raise UsageError(f"the plan holds no {self.noun} {sorted(missing)[0]!r}")
        return self._with(units)

    def head(self, n: int) -> Plan[U]:
        """Return the plan of the first ``n`` units, for a trial."""
        if n < 1:
            raise UsageError(f"the first {n} units: give at least 1")
        return self._with(list(islice(self, n)))

    def ends_within(self, n: int) -> bool:
        """Whether the first ``n`` units are all that there are, so that they are no trial."""
        return n >= len(self)

    def _with(self, units: list[U]) -> Plan[U]:
        about = {"final": self.final, "block": self.block, "noun": self.noun}
        return Plan(self.kind, units, self.params, **about)

    def describe(self) -> str:
        """Return what the plan holds, as a few lines of text."""
        cost = sum(u.cost for u in self)
        rows = [f"{self.kind}: {len(self):,} x {self.noun}, total cost {cost:,.0f}"]
        rows += [
            f"  {name}: {value}" for name, value in sorted({**self.params, **self.final}.items())
        ]
        rows += [f"  {u.key}" for u in islice(self, 3)]
        return "\n".join([*rows, "  ..."] if len(self) > 3 else rows)

    def __repr__(self) -> str:
        return f"<Plan {self.kind}: {len(self):,} x {self.noun}>"

    def _repr_html_(self) -> str:
        first = list(islice(self, 5))
        names = [f.name for f in fields(first[0])] if first else []
        head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(getattr(u, n)))}</td>" for n in names) + "</tr>"
            for u in first
        )
        params = html.escape(", ".join(f"{k}={v}" for k, v in sorted(self.params.items())))
        title = html.escape(repr(self)[1:-1])
        return f"<b>{title}</b> <span>{params}</span><table><tr>{head}</tr>{rows}</table>"

    def to_delayed(self, stages: Sequence[Stage | Callable[..., Any]]) -> list[Delayed]:
        """Return one ``dask.delayed`` value per unit: the same chain, without the run directory."""
        from polytene.core.lazy import to_delayed

        return to_delayed(self, stages)

    def to_bag(self, partition_size: int = 100) -> Bag:
        """Return the units as a ``dask.bag``, in plan order."""
        from polytene.core.lazy import to_bag

        return to_bag(self, partition_size)
