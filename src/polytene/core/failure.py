"""What went wrong with a unit or an item, and whether trying again can help."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass

from polytene.core.sandbox import Died, TimedOut
from polytene.exceptions import BadInput

LONGEST = 500
CATEGORIES = ("transport", "infrastructure", "memory", "tool", "input")
RETRIED = frozenset({"transport", "infrastructure", "memory"})
_INFRASTRUCTURE = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN}


@dataclass(frozen=True, order=True)
class Failure:
    """One quarantined unit, or one item of a unit that was rejected.

    Parameters
    ----------
    key
        Key of the unit.
    stage
        Name of the stage that failed.
    category
        ``input`` (the data is wrong), ``tool`` (the stage's own code or program failed),
        ``transport``, ``infrastructure`` or ``memory``. The last three are tried again by the
        same command, the first two only when asked for.
    reason
        Short code that groups equal causes: a kebab-case code or the name of an exception.
    detail
        What, where, and what to do.
    item
        The item inside the unit; None when the unit as a whole failed.
    """

    key: str
    stage: str
    category: str
    reason: str
    detail: str = ""
    item: str | None = None

    def __str__(self) -> str:
        what = self.key if self.item is None else f"{self.key} [{self.item}]"
        return f"{what}: {self.stage}: {self.reason}: {self.detail}"


def categorise(error: BaseException) -> str:
    """Return the category of an exception that a stage raised.

    An exception may say it itself, with an attribute ``category``.
    """
    if isinstance(error, BadInput):
        return "input"
    if (said := getattr(error, "category", None)) in CATEGORIES:
        return str(said)
    if isinstance(error, MemoryError) or (isinstance(error, Died) and error.why):
        return "memory"
    if isinstance(error, ConnectionError | TimeoutError):
        return "transport"
    if isinstance(error, OSError) and error.errno in _INFRASTRUCTURE:
        return "infrastructure"
    return "tool"


def describe(error: BaseException) -> tuple[str, str]:
    """Return reason and detail of an exception, with the line that raised it."""
    if isinstance(error, BadInput):
        return str(error.reason), str(error.detail)[:LONGEST]
    if isinstance(error, Died | TimedOut):
        over = isinstance(error, Died) and error.why
        word = "timeout" if isinstance(error, TimedOut) else "memory-limit" if over else "died"
        return word, str(error)[:LONGEST]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    said = str(error)[:LONGEST]
    if isinstance(error, MemoryError) and not said:
        said = "it asked for more memory than its worker's share; see --memory-limit"
    return type(error).__name__, f"{said}{where}"
