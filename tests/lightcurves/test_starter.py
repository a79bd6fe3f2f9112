"""The names of the starter notebooks over our runs."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from polytene import lightcurves as lc
from polytene.exceptions import UsageError
from polytene.lightcurves.features import SCHEMAS

KEYS = {"total_samples", "completed", "failed", "remaining", "success_rate", "failure_rate"}


@pytest.fixture
def manager(tmp_path):
    return lc.CheckpointManager(tmp_path / "drive", batch_size=3)


def test_a_batch_extraction_has_the_names_of_the_notebooks(sky, manager, here):
    samples = pd.read_csv(sky / "targets.csv")
    table = lc.extract_features_batch_parallel(
        samples_df=samples, checkpoint_mgr=manager, batch_size=3, n_workers=1, source=sky,
        client=here,
    )  # fmt: skip
    assert list(table.columns) == [*SCHEMAS["starter"], "sample_idx", "label", "target_id", "toi"]
    assert table.index.tolist() == table["sample_idx"].tolist() == list(range(7))
    assert manager.get_failed_indices() == [7]
    summary = manager.get_progress_summary(8)
    assert set(summary) == KEYS
    assert (summary["completed"], summary["failed"], summary["remaining"]) == (7, 1, 0)
    assert summary["success_rate"] == pytest.approx(87.5)
    assert table["tls_period"].isna().all()
    assert table["label"].tolist() == samples["label"].tolist()[:7]
    names = sorted(p.name for p in (manager.drive_path / "checkpoints").iterdir())
    assert names == ["batch_0000_0003.json", "batch_0003_0006.json", "batch_0006_0009.json"]


def test_the_same_call_resumes_and_failures_are_tried_again(sky, manager, here, tmp_path):
    samples = pd.read_csv(sky / "targets.csv")
    about = {"checkpoint_mgr": manager, "n_workers": 1, "client": here}
    folder = tmp_path / "some"
    folder.mkdir()
    paths = sorted(sky.glob("*.fits"))
    for path in paths[:4]:
        (folder / path.name).write_bytes(path.read_bytes())
    first = lc.extract_features_batch_parallel(samples, source=folder, **about)
    assert len(first) == 4
    assert manager.get_failed_indices() == [4, 5, 6, 7]
    for path in paths[4:]:
        (folder / path.name).write_bytes(path.read_bytes())
    again = lc.extract_features_batch_parallel(samples, source=folder, **about)
    assert len(again) == 7
    assert manager.get_failed_indices() == [7]
    pd.testing.assert_frame_equal(again.iloc[:4], first)


def test_without_bls_its_features_are_nan_and_not_ten(sky, manager, here):
    samples = pd.read_csv(sky / "targets.csv")[:2]
    table = lc.extract_features_batch_parallel(
        samples, manager, n_workers=1, run_bls=False, source=sky, client=here
    )
    assert table[["bls_period", "bls_snr", "bls_power", "phase_coverage"]].isna().all().all()
    assert table[["flux_std", "red_noise"]].notna().all().all()


def old_checkpoint(folder, start, features, failed):
    end = start + 100
    about = {
        "checkpoint_id": f"batch_{start:04d}_{end:04d}",
        "timestamp": "2025-01-30T10:00:00",
        "batch_range": [start, end],
        "completed_indices": list(map(int, features)),
        "failed_indices": failed,
        "features": features,
        "metadata": {"batch_num": 1},
    }
    (folder / f"batch_{start:04d}_{end:04d}.json").write_text(json.dumps(about))


def test_checkpoints_of_the_notebooks_are_read(manager):
    folder = manager.checkpoint_dir
    old_checkpoint(folder, 0, {"0": {"flux_std": 0.1}, "2": {"flux_std": math.nan}}, [1])
    old_checkpoint(folder, 100, {"100": {"flux_std": 0.3}}, [])
    assert manager.get_completed_indices() == {0, 2, 100}
    assert manager.get_failed_indices() == [1]
    table = manager.merge_all_checkpoints()
    assert table.index.tolist() == [0, 2, 100]
    assert table.index.dtype == "int64"
    assert math.isnan(table.loc[2, "flux_std"])
    manager.save_checkpoint(0, {1: {"flux_std": 0.5}}, [0], {})
    assert manager.get_failed_indices() == []
    assert manager.get_completed_indices() == {0, 1, 2, 100}


def test_a_file_that_is_cut_off_is_named_and_left_out(manager):
    manager.save_checkpoint(0, {0: {"a": 1.0}}, [], {})
    (manager.checkpoint_dir / "batch_0003_0006.json").write_text('{"features": {"3": {"a"')
    with pytest.warns(UserWarning, match="batch_0003_0006"):
        assert manager.get_completed_indices() == {0}


def test_nan_is_written_as_json_has_it(manager):
    path = manager.save_checkpoint(0, {0: {"a": math.nan, "b": 1.0}}, [], {"n": 1})
    assert json.loads(path.read_text())["features"] == {"0": {"a": None, "b": 1.0}}
    assert manager.load_latest_checkpoint()["metadata"] == {"n": 1}


def test_a_later_success_clears_the_failure(manager):
    manager.save_checkpoint(0, {}, [0, 1], {})
    manager.save_checkpoint(0, {1: {"a": 1.0}}, [0], {})
    assert manager.get_failed_indices() == [0]
    manager.save_checkpoint(3, {0: {"a": 2.0}}, [], {})
    assert manager.get_failed_indices() == []
    assert manager.get_completed_indices() == {0, 1}
    assert manager.cleanup_checkpoints() == 2
    assert manager.load_latest_checkpoint() is None
    assert manager.get_progress_summary(5)["remaining"] == 5


def test_a_batch_of_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError):
        lc.CheckpointManager(tmp_path, batch_size=0)
