"""The cost of a genome up to each place, and the places where it may be cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


def distinct(*values: Ints) -> Ints:
    """Return all values in order, each once; numpy's own is slow for evenly spread numbers."""
    merged = np.sort(np.concatenate(values))
    found: Ints = merged[np.concatenate([[True], merged[1:] != merged[:-1]])]
    return found


@dataclass(frozen=True, eq=False)
class Track:
    """Cost that is spread evenly over intervals of the axis.

    Parameters
    ----------
    starts, ends
        Places, int64. Intervals may overlap.
    slopes
        Cost per base, int64.
    """

    starts: Ints
    ends: Ints
    slopes: Ints

    @cached_property
    def _steps(self) -> tuple[Ints, Ints, Ints]:
        """Edges, slope after each, cost up to each."""
        edges, place = np.unique(np.concatenate([self.starts, self.ends]), return_inverse=True)
        change = np.zeros(len(edges), np.int64)
        np.add.at(change, place, np.concatenate([self.slopes, -self.slopes]))
        slopes = np.cumsum(change)
        cost = np.concatenate([[0], np.cumsum(slopes[:-1] * np.diff(edges))])
        return edges, slopes, cost

    @property
    def edges(self) -> Ints:
        """Places where the cost per base changes."""
        return self._steps[0]

    def up_to(self, places: Ints) -> Ints:
        """Return the cost before each place."""
        edges, slopes, cost = self._steps
        i = np.searchsorted(edges, places, side="right") - 1
        inside = np.maximum(i, 0)
        return np.where(i < 0, 0, cost[inside] + slopes[inside] * (places - edges[inside]))


@dataclass(frozen=True, eq=False)
class Axis:
    """A genome laid end to end, as steps that are free to be cut or not.

    Parameters
    ----------
    points
        Ends of the steps, from 0 to the number of bases, int64. A cut is allowed at each.
    cost
        Cost up to each point, int64.
    free
        Whether a cut is allowed inside the step that begins at each point but the last.
    """

    points: Ints
    cost: Ints
    free: Bools

    @property
    def bases(self) -> int:
        """Bases in all."""
        return int(self.points[-1])

    @property
    def total(self) -> int:
        """Cost in all."""
        return int(self.cost[-1])

    @cached_property
    def slopes(self) -> Ints:
        """Cost per base inside each step; 0 where it may not be cut."""
        return np.where(self.free, np.diff(self.cost) // np.diff(self.points), 0)

    @cached_property
    def ranks(self) -> Ints:
        """How many places to cut there are up to each point, from 1 on; 0 at the first."""
        return np.concatenate([[0], np.cumsum(np.where(self.free, np.diff(self.points), 1))])

    @cached_property
    def biggest(self) -> int:
        """Cost of the dearest step that must stay whole."""
        whole = np.diff(self.cost)[~self.free]
        return int(whole.max()) if whole.size else 0

    @cached_property
    def longest(self) -> int:
        """Bases of the longest step that must stay whole."""
        whole = np.diff(self.points)[~self.free]
        return int(whole.max()) if whole.size else 1

    def cost_at(self, places: Ints) -> Ints:
        """Return the cost up to places where a cut is allowed."""
        i = np.minimum(np.searchsorted(self.points, places, side="right") - 1, len(self.free) - 1)
        return self.cost[i] + np.where(
            places == self.points[i + 1],
            self.cost[i + 1] - self.cost[i],
            self.slopes[i] * (places - self.points[i]),
        )

    def place_of_rank(self, rank: int) -> int:
        """Return the place to cut of this rank."""
        i = int(np.searchsorted(self.ranks, rank, side="left"))
        if self.ranks[i] == rank:
            return int(self.points[i])
        return int(self.points[i] - (self.ranks[i] - rank))

    def rank_of(self, place: int) -> int:
        """Return the rank of a place to cut."""
        i = int(np.searchsorted(self.points, place, side="right")) - 1
        return int(self.ranks[i]) + place - int(self.points[i])


def make_axis(
    bases: int, per_base: int, loci: tuple[Ints, Ints, Ints] | None, track: Track | None = None
) -> Axis:
    """Lay out costs and what must stay whole.

    Parameters
    ----------
    bases
        Length of the axis.
    per_base
        Cost of a base.
    loci
        Starts, ends and costs of what must stay whole, in order and without overlap.
    track
        More cost.
    """
    nothing = np.empty(0, np.int64)
    starts, ends, costs = loci if loci is not None else (nothing, nothing, nothing)
    marks: list[Ints] = [np.array([0, bases]), starts, ends]
    if track is not None:
        edges = track.edges[(track.edges > 0) & (track.edges < bases)]
        i = np.searchsorted(starts, edges, side="right") - 1
        outside = (i < 0) | (edges >= ends[np.maximum(i, 0)]) if len(starts) else edges >= 0
        marks.append(edges[outside])
    points = distinct(*marks)
    ended = np.searchsorted(ends, points, side="right")
    cost = per_base * points + np.concatenate([[0], np.cumsum(costs)])[ended]
    if track is not None:
        cost = cost + track.up_to(points)
    begun = np.searchsorted(starts, points, side="right")
    return Axis(points, cost.astype(np.int64), (begun == ended)[:-1])


def gene_starts(starts: Ints, cost: int) -> tuple[Ints, Ints, Ints]:
    """Return genes as steps of one base: each belongs to whoever holds its first."""
    places, counts = np.unique(starts, return_counts=True)
    return places, places + 1, counts * cost
