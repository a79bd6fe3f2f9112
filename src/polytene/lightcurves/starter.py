"""Batch extraction under the name that the exoplanet starter notebooks know it by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from polytene.clusters import cluster
from polytene.core.outcome import Outcome
from polytene.lightcurves.checkpoints import CheckpointManager
from polytene.lightcurves.features_starter import STARTER
from polytene.lightcurves.run import extract
from polytene.lightcurves.sources import Archive, Source

if TYPE_CHECKING:
    import pandas as pd

_OF_BLS = (*STARTER[8:14], *STARTER[19:26])
_DONE = ("ok", "partial", "skipped")


def extract_features_batch_parallel(
    samples_df: pd.DataFrame,
    checkpoint_mgr: CheckpointManager,
    batch_size: int = 100,
    n_workers: int = 12,
    run_bls: bool = True,
    run_tls: bool = False,
    *,
    source: Source | str | None = None,
    **engine: Any,
) -> pd.DataFrame:
    """Extract the 27 features of the starter notebooks, and checkpoint them.

    Parameters
    ----------
    samples_df
        Columns ``target_id`` and, where they are known, ``label``, ``toi``, ``period`` [d],
        ``depth`` [ppm] and ``duration`` [h]. Its index numbers the samples.
    checkpoint_mgr
        Takes the results; the run lies in its ``run_dir``, so that the same call resumes.
    batch_size
        Samples per checkpoint.
    n_workers
        Worker processes; 1 works in this process.
    run_bls, run_tls
        Whether to search; the features of a search that is left out are NaN.
    source
        Where the light curves are; None: the archives, with a cache in ``lightcurves`` beside the
        run.
    **engine
        As for :func:`extract`.

    Returns
    -------
    pandas.DataFrame
        A row per sample with light curve, as indexed: the features, then ``sample_idx``,
        ``label``, ``target_id`` and ``toi``. Samples without light curve are not in it: they are
        ``checkpoint_mgr.get_failed_indices()``. None of them is made up. The same call again tries
        what failed; targets that the archives had nothing of stay missing in this run, and a
        manager of another folder asks for them again.
    """
    chosen = source or Archive(checkpoint_mgr.drive_path / "lightcurves")
    client = engine.pop("client", None)
    if client is None and n_workers > 1:
        client = cluster("local", workers=n_workers)
    given = {"max_quarantined": 1.0, "on_change": "rerun", **engine}
    outcome = extract(
        samples_df, checkpoint_mgr.run_dir, chosen, batch_size, run_tls, client,
        schema="starter", **given,
    )  # fmt: skip
    _checkpoint(samples_df, outcome, checkpoint_mgr, batch_size, run_bls)
    return checkpoint_mgr.merge_all_checkpoints()


def _checkpoint(
    samples: pd.DataFrame,
    outcome: Outcome,
    manager: CheckpointManager,
    batch_size: int,
    run_bls: bool,
) -> None:
    rows = outcome.result.to_pylist()
    manager.batch_size = batch_size
    indices = [int(i) for i in samples.index]
    total = -(-len(rows) // batch_size)
    for start in range(0, len(rows), batch_size):
        batch = list(zip(indices, rows, strict=True))[start : start + batch_size]
        features = {i: _entry(i, r, run_bls) for i, r in batch if r["status"] in _DONE}
        failed = [i for i, r in batch if r["status"] not in _DONE]
        about = {"batch_num": start // batch_size + 1, "total_batches": total}
        about |= {"parallel_mode": True}
        manager.save_checkpoint(start, features, failed, about)


def _entry(index: int, row: dict[str, Any], run_bls: bool) -> dict[str, Any]:
    values = {name: row[name] for name in STARTER}
    if not run_bls:
        values |= dict.fromkeys(_OF_BLS, math.nan)
    label = row["label"]
    number = int(label) if label is not None and label.lstrip("-").isdigit() else label
    about = {"sample_idx": index, "label": number, "target_id": row["target_id"]}
    return {**values, **about, "toi": row["toi"] or "unknown"}
