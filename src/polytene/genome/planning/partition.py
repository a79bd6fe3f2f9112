"""The best contiguous partition of an axis: the least possible cost of its dearest part.

To a given cost, the longest possible part is always the best one, so that one pass shows
whether it suffices; the least sufficient cost is found by bisection over the integers. That one
less does not suffice is the certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from polytene.exceptions import UsageError
from polytene.genome.planning.atoms import Axis

Ints = np.ndarray[Any, np.dtype[np.int64]]
Prefer = Callable[[int, int, int], int]


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _furthest(X: Any, C: Any, free: Any, slopes: Any, p: int, cp: int, most: int, most_bp: int):  # type: ignore[no-untyped-def] # noqa: N803
    """Return the furthest cut after ``p`` and the cost up to it."""
    i = np.searchsorted(C, cp + most, side="right") - 1
    x, c = X[i], C[i]
    if i < free.size and free[i]:
        step = X[i + 1] - x
        if slopes[i] > 0:
            step = min(step, (cp + most - c) // slopes[i])
        x += step
        c += slopes[i] * step
    if most_bp > 0 and x - p > most_bp:
        x = p + most_bp
        i = np.searchsorted(X, x, side="right") - 1
        if free[i]:
            c = C[i] + slopes[i] * (x - X[i])
        else:
            x, c = X[i], C[i]
    return x, c


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _nearest(X: Any, C: Any, free: Any, slopes: Any, q: int, cq: int, most: int, most_bp: int):  # type: ignore[no-untyped-def] # noqa: N803
    """Return the first cut from which ``q`` can be reached, and the cost up to it."""
    i = np.searchsorted(C, cq - most, side="left")
    x, c = X[i], C[i]
    if i > 0 and free[i - 1]:
        step = x - X[i - 1]
        if slopes[i - 1] > 0:
            step = min(step, (c - (cq - most)) // slopes[i - 1])
        x -= step
        c -= slopes[i - 1] * step
    if most_bp > 0 and q - x > most_bp:
        x = q - most_bp
        i = np.searchsorted(X, x, side="right") - 1
        if free[i] or X[i] == x:
            c = C[i] + slopes[i] * (x - X[i])
        else:
            x, c = X[i + 1], C[i + 1]
    return x, c


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _parts(X: Any, C: Any, free: Any, slopes: Any, most: int, most_bp: int, limit: int) -> Any:  # noqa: N803
    """Return how many parts are needed if none may cost more; ``limit + 1`` if too many."""
    p, cp, n = np.int64(0), np.int64(0), 0
    while p < X[-1]:
        x, c = _furthest(X, C, free, slopes, p, cp, most, most_bp)
        n += 1
        if x <= p or n > limit:
            return limit + 1
        p, cp = x, c
    return n


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _least(X: Any, C: Any, free: Any, slopes: Any, low: int, most_bp: int, k: int) -> Any:  # noqa: N803
    """Return the least cost for which ``k`` parts suffice."""
    high = C[-1]
    while low < high:
        middle = (low + high) // 2
        if _parts(X, C, free, slopes, middle, most_bp, k) <= k:
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True, eq=False)
class Partition:
    """An optimal partition.

    Parameters
    ----------
    cuts
        Places from 0 to the end of the axis, int64, ``(part + 1,)``.
    least
        Cost of the dearest part; no partition into as many parts has a lower one.
    lower_bound
        What follows from the mean and from the dearest step that must stay whole.
    """

    cuts: Ints
    least: int
    lower_bound: int


def partition(
    axis: Axis, n: int, max_bp: int = 0, prefer: Prefer | None = None, slack: float = 0.0
) -> Partition:
    """Cut an axis into exactly ``n`` parts whose dearest costs as little as possible.

    Parameters
    ----------
    axis
        What is cut.
    n
        Parts.
    max_bp
        Most bases of a part; 0: any number.
    prefer
        ``prefer(low, high, ideal)`` chooses among cuts from ``low`` to ``high`` that are equally
        good; what it returns is moved to a place where a cut is allowed.
    slack
        Share by which the dearest part may cost more than the least possible, for the sake of
        what is preferred.

    Raises
    ------
    UsageError
        If there are not as many places to cut, or ``max_bp`` cannot be kept.
    """
    possible = int(axis.ranks[-1])
    if n > possible:
        raise UsageError(f"{n:,} chunks are more than possible: at most {possible:,}")
    arrays = (axis.points, axis.cost, axis.free, axis.slopes)
    if max_bp and _parts(*arrays, axis.total, max_bp, n) > n:
        raise too_few(axis, n, max_bp)
    least = least_cost(axis, n, max_bp)
    most = least + int(least * slack)
    first = np.empty(n + 1, np.int64)
    first[n], cost = axis.bases, axis.total
    for j in range(n - 1, -1, -1):
        first[j], cost = _nearest(*arrays, int(first[j + 1]), int(cost), most, max_bp)
    return Partition(_choose(axis, arrays, n, most, max_bp, first, prefer), least,
                     lower_bound(axis, n))  # fmt: skip


def lower_bound(axis: Axis, n: int) -> int:
    """Return a cost that the dearest of ``n`` parts has at least."""
    return max(-(-axis.total // n), axis.biggest)


def least_cost(axis: Axis, n: int, max_bp: int = 0) -> int:
    """Return the least cost for which ``n`` parts of at most ``max_bp`` bases suffice."""
    arrays = (axis.points, axis.cost, axis.free, axis.slopes)
    return int(_least(*arrays, lower_bound(axis, n), max_bp, n))


def parts_needed(axis: Axis, most: int, max_bp: int, limit: int) -> int:
    """Return how many parts it takes if none may cost more than ``most``; at most limit + 1."""
    return int(_parts(axis.points, axis.cost, axis.free, axis.slopes, most, max_bp, limit))


def too_few(axis: Axis, n: int, max_bp: int) -> UsageError:
    """Return why ``max_bp`` cannot be kept."""
    if axis.longest > max_bp:
        return UsageError(
            f"genes that overlap one another span {axis.longest:,} bases, which must not be cut, "
            f"and a chunk may have {max_bp:,} (max_bp): allow more, or choose cut='owned'"
        )
    needed = parts_needed(axis, axis.total, max_bp, axis.bases)
    return UsageError(
        f"{n:,} chunks of at most {max_bp:,} bases (max_bp) do not cover {axis.bases:,} bases: "
        f"{needed:,} are needed"
    )


def _choose(
    axis: Axis, arrays: Any, n: int, most: int, max_bp: int, first: Ints, prefer: Prefer | None
) -> Ints:
    """Choose each cut inside the bounds that keep the whole feasible, near its fair share."""
    cuts = np.zeros(n + 1, np.int64)
    cuts[n] = axis.bases
    p, cp, rank, possible = 0, 0, 0, int(axis.ranks[-1])
    for j in range(1, n):
        high = min(int(_furthest(*arrays, p, cp, most, max_bp)[0]),
                   axis.place_of_rank(possible - (n - j)))  # fmt: skip
        low = max(int(first[j]), axis.place_of_rank(rank + 1))
        share = cp + (axis.total - cp) // (n - j + 1)
        ideal = allowed(axis, _at_cost(axis, share), low, high)
        if prefer is not None:
            ideal = allowed(axis, prefer(low, high, ideal), low, high)
        cuts[j] = p = ideal
        cp, rank = int(axis.cost_at(np.array([p]))[0]), axis.rank_of(p)
    return cuts


def _at_cost(axis: Axis, cost: int) -> int:
    """Return the place up to which about so much is spent."""
    i = int(np.searchsorted(axis.cost, cost, side="right")) - 1
    i = min(i, len(axis.free) - 1)
    step, span = int(axis.cost[i + 1] - axis.cost[i]), int(axis.points[i + 1] - axis.points[i])
    return int(axis.points[i]) + (span * (cost - int(axis.cost[i])) // step if step else span)


def allowed(axis: Axis, place: int, low: int, high: int) -> int:
    """Return the allowed cut nearest to a place, between two allowed ones."""
    place = min(max(place, low), high)
    i = int(np.searchsorted(axis.points, place, side="right")) - 1
    if i >= len(axis.free) or axis.free[i] or axis.points[i] == place:
        return place
    before, after = int(axis.points[i]), int(axis.points[i + 1])
    nearer = before if place - before <= after - place else after
    return min(max(nearer, low), high)
