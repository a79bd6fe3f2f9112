"""What SLURM says of the job that this process runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polytene.exceptions import UsageError
from polytene.genome.chunks import ChunkPlan, GenomicChunk

_MB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2, "": 1}


def is_slurm_job() -> bool:
    """Whether this process runs in a SLURM job."""
    return "SLURM_JOB_ID" in os.environ


def get_slurm_task_id() -> int | None:
    """Return the index of this task of a job array; None outside one.

    Raises
    ------
    UsageError
        If ``SLURM_ARRAY_TASK_ID`` is no number.
    """
    return _number(os.environ, "SLURM_ARRAY_TASK_ID")


def get_slurm_resources() -> dict[str, Any]:
    """Return what the job was given.

    Returns
    -------
    dict
        ``cpus`` of this task (1 outside a job); ``memory_mb`` of this task on its node, in MiB,
        None if SLURM does not say or gives the whole node; ``task_id`` in a job array and
        ``node``, or None.

    Raises
    ------
    UsageError
        If a variable that SLURM sets holds something else than SLURM writes.

    Examples
    --------
    >>> sorted(get_slurm_resources())
    ['cpus', 'memory_mb', 'node', 'task_id']
    """
    env = os.environ if is_slurm_job() else {}
    cpus = _number(env, "SLURM_CPUS_PER_TASK") or _number(env, "SLURM_CPUS_ON_NODE") or 1
    memory = _memory(env, "SLURM_MEM_PER_NODE")
    if memory is None and (per_cpu := _memory(env, "SLURM_MEM_PER_CPU")) is not None:
        memory = per_cpu * cpus
    node = env.get("SLURMD_NODENAME") or env.get("SLURM_JOB_NODELIST") or env.get("SLURM_NODELIST")
    return {
        "cpus": cpus,
        "memory_mb": memory or None,
        "task_id": _number(env, "SLURM_ARRAY_TASK_ID"),
        "node": node,
    }


def _number(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name)
    if text is None or not text.strip():
        return None
    if not text.strip().isdigit():
        raise UsageError(f"{name} is {text!r}: expected a whole number")
    return int(text)


def _memory(env: Mapping[str, str], name: str) -> int | None:
    """Return a size in MiB; SLURM writes it so, or with a letter."""
    text = env.get(name)
    if text is None or not text.strip():
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip().upper())
    if found is None:
        raise UsageError(f"{name} is {text!r}: expected a size such as 16000 or 16G")
    return int(float(found[1]) * _MB[found[2]])


def get_chunk_for_task(chunk_plan: ChunkPlan | str | Path, task_id: int) -> GenomicChunk:
    """Return the chunk that a task of a job array works on.

    The environment is not read: ``--array=3,7`` runs chunks 3 and 7 again.

    Parameters
    ----------
    chunk_plan
        The plan, or its file.
    task_id
        0-based index of the chunk, as ``sbatch --array=0-(N-1)`` numbers tasks.

    Raises
    ------
    UsageError
        If the plan has no chunk of that index.
    """
    plan = chunk_plan if isinstance(chunk_plan, ChunkPlan) else ChunkPlan.load(chunk_plan)
    if isinstance(task_id, bool) or not isinstance(task_id, int):
        raise UsageError(f"task_id is {task_id!r}: expected the 0-based index of a chunk")
    return plan.get_chunk_by_index(task_id)
