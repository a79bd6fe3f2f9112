"""``run.log``: what was said while a run directory was worked on, in plain timed lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _RunLog(logging.FileHandler):
    """A log that a full disk does not stop, nor make noisy."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Leave the line out."""


@contextmanager
def run_log(root: Path) -> Iterator[None]:
    """Copy what ``polytene`` logs, from level INFO, to ``run.log``."""
    logger = logging.getLogger("polytene")
    handler = _RunLog(root / "run.log", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
