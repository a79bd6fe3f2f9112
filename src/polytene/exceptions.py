"""Every error that polytene raises on purpose.

::

    PolyteneError
    +-- UsageError (ValueError)         an argument is wrong; nothing was started   exit 2
    +-- BadInput (ValueError)           a unit's data is wrong: quarantine          exit 3
    +-- IncompleteRun                   the run ended with units in quarantine      exit 3
    |   +-- TooManyFailures             more than allowed: no result is written     exit 3
    +-- PreflightError                  the cluster cannot do this work             exit 4
    |   +-- PlanChanged                 the run directory holds another plan        exit 4
    +-- NoSpace (OSError)               the disk is full; commits are safe          exit 5
    +-- RunLocked                       another driver holds the run directory      exit 6
    +-- Interrupted                     stopped; the same command goes on           exit 75
    +-- DamagedRun (OSError)            a file is not what was committed            exit 1
    +-- BrokenPromise (AssertionError)  an invariant failed: a bug                  exit 1
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class PolyteneError(Exception):
    """Base of all errors that polytene raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(PolyteneError, ValueError):
    """An argument or option is wrong; nothing was started."""

    exit_code = 2


class BadInput(PolyteneError, ValueError):
    """A unit's data is wrong: the unit is quarantined and not retried.

    Parameters
    ----------
    reason
        Short code in kebab-case that groups equal causes, such as ``"truncated-gzip"``.
    detail
        One sentence: which file, where in it, what was expected, what to do.

    Examples
    --------
    >>> raise BadInput("empty-file", "reads.fa: 0 bytes; expected FASTA records")
    Traceback (most recent call last):
    polytene.exceptions.BadInput: empty-file: reads.fa: 0 bytes; expected FASTA records
    """

    exit_code = 3

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class Rejected(NamedTuple):
    """An item inside a unit that could not be used while the rest of the unit could.

    Parameters
    ----------
    item
        Name of the item, such as a record of a file or a row of a batch.
    reason
        Short code in kebab-case that groups equal causes.
    detail
        One sentence that says where it is and what was expected.
    """

    item: str
    reason: str
    detail: str = ""


class IncompleteRun(PolyteneError):
    """The run ended, but units or items are quarantined."""

    exit_code = 3


class TooManyFailures(IncompleteRun):
    """More units are quarantined than was allowed; no result is written."""


class PreflightError(PolyteneError):
    """The configuration or the cluster cannot do this work; nothing was computed."""

    exit_code = 4


class PlanChanged(PreflightError):
    """The run directory holds another plan than the one asked for."""


class NoSpace(PolyteneError, OSError):
    """The disk is full; what is committed is safe and the same command goes on from there."""

    exit_code = 5


class RunLocked(PolyteneError):
    """Another driver holds the run directory."""

    exit_code = 6


class Interrupted(PolyteneError):
    """The run was stopped before its end; the same command goes on from there."""

    exit_code = 75


class DamagedRun(PolyteneError, OSError):
    """A file of a run directory is not what was committed."""


class BrokenPromise(PolyteneError, AssertionError):
    """An invariant of polytene itself failed: a bug, and the result is not to be trusted."""
