"""Checkpoints with the names and keys of the exoplanet starter notebooks, written whole.

A batch is a file; the batch that was saved last has the word on each of its samples. Files that
those notebooks wrote are read, too, and a file that is cut off is named and left out.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    import pandas as pd

_NAME = re.compile(r"batch_(\d+)_(\d+)\.json")


class CheckpointManager:
    """Features and failures of batches of samples, in ``<drive_path>/checkpoints``.

    Parameters
    ----------
    drive_path
        Folder that outlives the session, such as a mounted drive.
    batch_size
        Samples per batch.

    Examples
    --------
    >>> import tempfile
    >>> manager = CheckpointManager(tempfile.mkdtemp(), batch_size=2)
    >>> _ = manager.save_checkpoint(0, {0: {"flux_std": 0.1}}, [1], {})
    >>> manager.get_progress_summary(4)["remaining"]
    2
    """

    def __init__(self, drive_path: str | Path, batch_size: int = 100) -> None:
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}: at least 1 sample")
        self.drive_path = Path(drive_path)
        self.batch_size = batch_size
        self.checkpoint_dir = self.drive_path / "checkpoints"
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)

    @property
    def run_dir(self) -> Path:
        """Where an extraction with this manager keeps its run."""
        return self.drive_path / "run"

    def save_checkpoint(
        self,
        batch_id: int,
        features: Mapping[int, Mapping[str, Any]],
        failed_indices: Iterable[int],
        metadata: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the batch that begins at sample ``batch_id``; return the file.

        ``features`` maps the index of a sample to its features; NaN is written as null.
        """
        end = batch_id + self.batch_size
        name = f"batch_{batch_id:04d}_{end:04d}"
        done = sorted(int(i) for i in features)
        about = {
            "checkpoint_id": name,
            "sequence": 1 + max((c.get("sequence", 0) for c in self._checkpoints()), default=0),
            "batch_range": [batch_id, end],
            "completed_indices": done,
            "failed_indices": sorted(int(i) for i in failed_indices if int(i) not in set(done)),
            "features": {str(i): {k: _finite(v) for k, v in features[i].items()} for i in features},
            "metadata": dict(metadata or {}),
        }
        path = self.checkpoint_dir / f"{name}.json"
        write_bytes(path, json.dumps(about, allow_nan=False).encode())
        return path

    def load_latest_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint that was saved last; None if there is none."""
        found = self._checkpoints()
        return found[-1] if found else None

    def get_completed_indices(self) -> set[int]:
        """Return the samples with features."""
        return {i for i, row in self._latest().items() if row is not None}

    def get_failed_indices(self) -> list[int]:
        """Return the samples that failed and were not completed since."""
        return sorted(i for i, row in self._latest().items() if row is None)

    def merge_all_checkpoints(self) -> pd.DataFrame:
        """Return the features of all completed samples, in order of their index."""
        import pandas as pd

        rows = {i: row for i, row in sorted(self._latest().items()) if row is not None}
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index = table.index.astype("int64")
        return table

    def get_progress_summary(self, total_samples: int) -> dict[str, Any]:
        """Return counts of ``total_samples``, and the rates in percent of all that were tried."""
        latest = self._latest()
        completed = sum(row is not None for row in latest.values())
        failed = len(latest) - completed
        tried = len(latest)
        return {
            "total_samples": total_samples,
            "completed": completed,
            "failed": failed,
            "remaining": total_samples - completed - failed,
            "success_rate": 100 * completed / tried if tried else 0.0,
            "failure_rate": 100 * failed / tried if tried else 0.0,
        }

    def cleanup_checkpoints(self) -> int:
        """Remove all checkpoints; return how many there were. The run itself stays."""
        paths = self._paths()
        for path in paths:
            path.unlink()
        return len(paths)

    def _paths(self) -> list[Path]:
        found = [p for p in self.checkpoint_dir.glob("batch_*.json") if _NAME.fullmatch(p.name)]
        return sorted(found, key=lambda p: int(p.name.split("_")[1]))

    def _checkpoints(self) -> list[dict[str, Any]]:
        """Return the checkpoints that are whole, in the order in which they were saved."""
        found = []
        for path in self._paths():
            try:
                about = json.loads(path.read_text())
                about["features"], about["failed_indices"]
            except (ValueError, KeyError, TypeError):
                warnings.warn(f"{path}: cut off or no checkpoint; left out", stacklevel=3)
                continue
            found.append(about)
        return sorted(found, key=lambda c: c.get("sequence", 0))

    def _latest(self) -> dict[int, dict[str, Any] | None]:
        """Return the last word on each sample: its features, or None where it failed."""
        latest: dict[int, dict[str, Any] | None] = {}
        for about in self._checkpoints():
            for index in about["failed_indices"]:
                latest.setdefault(int(index), None)
            for index, row in about["features"].items():
                latest[int(index)] = {k: math.nan if v is None else v for k, v in row.items()}
        return latest


def _finite(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
