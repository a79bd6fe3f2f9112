"""What the names of SRA's files say: kind of the records, and their submission."""

from __future__ import annotations

import re
from functools import lru_cache

from polytene.metadata.parser.machine import ANY_KIND
from polytene.metadata.parser.schema import KINDS

_KIND = re.compile(rf"(?:^|[._/])({'|'.join(KINDS)})(?:_set)?\.xml(?:\.gz)?$", re.I)
_SUBMISSION = re.compile(r"(?:^|/)([DES]RA\d+)(?=[./])")
_OTHER = re.compile(r"(?:^|[._/])(analysis|project|policy|dac|dataset|receipt)(_set)?\.xml", re.I)


@lru_cache(maxsize=4096)
def _kind(tail: str) -> int:
    found = _KIND.search(tail)
    return KINDS.index(found[1].lower()) if found else ANY_KIND


def kind_of(name: str) -> int:
    """Return the number of the kind that a file's name promises; -1 where any will do.

    Examples
    --------
    >>> kind_of("SRA1/SRA1.sample.xml"), kind_of("meta_run_set.xml.gz"), kind_of("x.xml")
    (1, 2, -1)
    """
    return _kind(name[name.find(".") :] if "/" in name else name)


def submission_of(name: str) -> str | None:
    """Return the submission that a file's name belongs to.

    Examples
    --------
    >>> submission_of("dump/SRA12/SRA12.run.xml"), submission_of("meta_run_set.xml")
    ('SRA12', None)
    """
    found = _SUBMISSION.search(name)
    return found[1] if found else None


def is_document(name: str) -> bool:
    """Return whether a file may hold records; those of analyses and the like do not."""
    return name.endswith((".xml", ".xml.gz")) and not _OTHER.search(name)
