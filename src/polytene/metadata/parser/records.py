"""The records and groups that events speak of: a row each, and columns of their values."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from polytene.metadata.parser.columns import Values
from polytene.metadata.parser.machine import Array, machine, read_path
from polytene.metadata.parser.schema import KINDS, Group


class Records:
    """The records of one kind: their rows, columns and groups."""

    def __init__(self, values: Values, number: int, parent: pa.Array) -> None:
        self.values, self.number, self.kind = values, number, KINDS[number]
        events = values.events
        mine = np.flatnonzero(events.kind == number)
        order = order_of(events.document[mine])
        self.rows = mine if order is None else mine[order]
        self.row_of = np.full(len(events.kind), -1, np.int64)
        self.row_of[self.rows] = np.arange(len(self.rows))
        self.submission = parent.take(pa.array(self.rows))
        self._groups: dict[str, Instances] = {}

    def chosen(self, paths: Iterable[str]) -> Array:
        """Return, per row, the first value that a path has; of the first path that has one."""
        out = np.full(len(self.rows), -1, np.int64)
        for path in paths:
            numbers = self.values.of(machine().number[read_path(self.kind, path)])
            rows = self.row_of[self.values.events.record[numbers]]
            empty = out[rows] < 0
            put_first(out, rows[empty], numbers[empty])
        return out

    def column(self, paths: Iterable[str]) -> pa.Array:
        """Return the values of paths as strings."""
        return self.values.strings(self.chosen(paths))

    def group(self, group: Group) -> Instances:
        """Return the instances of a group, record by record in the order of the rows."""
        if group.name not in self._groups:
            self._groups[group.name] = Instances(self, group)
        return self._groups[group.name]


class Instances:
    """The instances of a group in the records of one kind.

    They hold no reference to the records, which hold them: memory of that size is not to wait for
    the collector of cycles.
    """

    def __init__(self, records: Records, group: Group) -> None:
        self.kind, self.size, self.group = records.kind, len(records.rows), group
        self.values, numbers = records.values, machine().number
        self._strings: dict[str, pa.Array] = {}
        self.begins = self.values.of(numbers[read_path(records.kind, f"{group.path}#name")])
        row = records.row_of[self.values.events.record[self.begins]]
        self.order = order_of(row)
        self.row = row if self.order is None else row[self.order]
        self.ordinal = ordinals(self.row)

    def chosen(self, member: str) -> Array:
        """Return, per instance, the first value of a member."""
        path = dict(self.group.members)[member]
        found = self.values.of(machine().number[read_path(self.kind, path, self.group.path)])
        out = np.full(len(self.begins), -1, np.int64)
        put_first(out, np.searchsorted(self.begins, found, side="right") - 1, found)
        return self._sorted(out)

    def _sorted(self, numbers: Array) -> Array:
        return numbers if self.order is None else numbers[self.order]

    def strings(self, member: str) -> pa.Array:
        """Return a member as strings."""
        if member not in self._strings:
            self._strings[member] = self.values.strings(self.chosen(member))
        return self._strings[member]

    def names(self) -> pa.Array:
        """Return the names of the elements."""
        return self.values.strings(self._sorted(self.begins))

    def lists(self, strings: pa.Array) -> pa.Array:
        """Return, per record, the list of its instances' strings; null where it has none."""
        return lists(self.row, strings, self.size)


def order_of(rows: Array) -> Array | None:
    """Return what sorts rows, each run of equal ones as it was; None if they are sorted."""
    if (rows[1:] >= rows[:-1]).all():
        return None
    return np.argsort(rows, kind="stable")


def ordinals(rows: Array) -> Array:
    """Return, of sorted rows, the how-manieth of its kind each one is."""
    places = np.arange(len(rows))
    begins = np.ones(len(rows), bool)
    begins[1:] = rows[1:] != rows[:-1]
    return (places - np.maximum.accumulate(np.where(begins, places, 0))).astype(np.int32)


def put_first(out: Array, places: Array, values: Array) -> None:
    """Write each value to its place; of several for one place, the first."""
    out[places[::-1]] = values[::-1]


def lists(row: Array, strings: pa.Array, rows: int) -> pa.Array:
    """Return, per row, the list of its strings that are not null; null where it has none."""
    known = strings.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.bincount(row[known], minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    flat = strings.drop_null()
    return pa.ListArray.from_arrays(pa.array(offsets), flat, mask=pa.array(sizes == 0))
