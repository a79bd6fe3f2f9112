"""Names of fields as people give them."""

from __future__ import annotations

from typing import Literal, get_args

from polytene.exceptions import UsageError
from polytene.metadata.views import VIEWS

UnitName = Literal["experiment", "run", "sample", "study", "bases"]
SHORT = {
    "strategy": "library_strategy",
    "source": "library_source",
    "selection": "library_selection",
    "layout": "library_layout",
    "center": "center_name",
    "accession": "run",
}


def column_of(field: str) -> str:
    """Return the column that a field's name or short form stands for.

    Examples
    --------
    >>> column_of("strategy"), column_of("organism")
    ('library_strategy', 'organism')
    """
    return SHORT.get(field, field)


def check_unit(unit: str) -> None:
    """Refuse what cannot be counted.

    Raises
    ------
    UsageError
        If it is none of experiment, run, sample, study and bases.
    """
    if unit not in get_args(UnitName):
        raise UsageError(f"unit is {unit!r}: one of {', '.join(get_args(UnitName))}")


def view_of(unit: str, columns: list[str]) -> str:
    """Return the view that is counted: the unit's own if it has all columns, else experiments.

    Raises
    ------
    UsageError
        If neither has a column.
    """
    own = "run" if unit in ("run", "bases") else unit
    fallback = "experiment" if unit in ("sample", "study") else own
    for view in (own, fallback):
        if set(columns) <= set(VIEWS[view].names):
            return view
    unknown = next(c for c in columns if c not in VIEWS[fallback].names)
    known = ", ".join(n for n in VIEWS[fallback].names)
    raise UsageError(f"no field {unknown!r} to count {unit}s by: one of {known}")
