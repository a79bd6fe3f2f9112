"""Example SLURM scripts: to be read, changed and submitted."""

from __future__ import annotations

import shlex
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.genome.tasks.launch import generate_hypershell_command, generate_parallel_command

EXECUTORS = ("hypershell", "parallel", "array", "dask")
EXAMPLE_CHUNKS = 100

_HEAD = """\
#!/bin/bash
#SBATCH --job-name=genome-chunks
#SBATCH --partition=normal
#SBATCH --time=4:00:00
"""
_ONE_NODE = """\
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=64G
#SBATCH --output=%x-%j.log
"""
_SETUP = """
# Change partition, time and sizes to those of your cluster, and load what the tasks need:
# module load python
# source ~/miniconda3/etc/profile.d/conda.sh && conda activate genome
set -uo pipefail

"""
_HYPERSHELL = """\
# HyperShell runs the lines of the task file on this node. It is given line numbers, because it
# takes what follows a # for a comment. It ends with 0 whatever the tasks did, so look at the list.
rm -f @TASKS@.failed
@COMMAND@
if [ -s @TASKS@.failed ]; then
    echo "some tasks failed: see @TASKS@.failed" >&2
    exit 1
fi
"""
_PARALLEL = """\
# GNU Parallel runs the lines of the task file on this node. Submit it again to run those that
# failed or did not get their turn: the job log knows which.
@PARALLEL@
"""
_ARRAY = """\
# One task of the array per chunk: the wrapper takes the chunk's 0-based place in the plan. To run
# chunks 3 and 7 again: sbatch --array=3,7 @SCRIPT@
bash @WRAPPER@ "$SLURM_ARRAY_TASK_ID"
"""
_ARRAY_HEAD = """\
# @N_CHUNKS@ chunks, numbered from 0 (the plan's size less one; `scontrol show config | grep
# MaxArraySize` says how many an array may have; %20 runs 20 at once)
#SBATCH --array=0-@LAST@%20
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --output=%x-%A_%a.log
"""
_DASK_HEAD = """\
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
"""
_DASK = """\
# Workers on this node, each under its share of the memory. Five minutes before the time limit the
# run is told to stop in good order (exit code 75), and the job goes back to the queue; it goes on
# where it was.
polytene genome run --chunk-plan @PLAN@ \\
    --command 'annotate --region {seqid}:{start}-{end} -o {output_dir}/{chunk_id}.gff3' \\
    --output-dir outputs/ --workers "$SLURM_CPUS_PER_TASK" &
run=$!
trap 'kill -USR1 $run' USR1
code=0
while kill -0 $run 2> /dev/null; do
    wait $run
    code=$?
done
if [ $code -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
"""
_BODIES = {
    "hypershell": _HEAD + _ONE_NODE + _SETUP + _HYPERSHELL,
    "parallel": _HEAD + _ONE_NODE + _SETUP + _PARALLEL,
    "array": _HEAD + _ARRAY_HEAD + _SETUP + _ARRAY,
    "dask": _HEAD + _ONE_NODE + _DASK_HEAD + _SETUP + _DASK,
}


def example_sbatch(
    executor: str = "hypershell",
    *,
    tasks: str | Path = "tasks.txt",
    wrapper: str | Path = "wrapper.sh",
    chunk_plan: str | Path = "chunks.json",
    n_chunks: int | None = None,
    script: str | Path = "run.sbatch",
) -> str:
    """Return an example SLURM script.

    Parameters
    ----------
    executor
        ``hypershell`` or ``parallel``: the lines of a task file on one node; ``array``: one task
        of a job array per chunk; ``dask``: a run on Dask workers.
    tasks, wrapper, chunk_plan
        Files that the script names.
    n_chunks
        Chunks of the plan, for the size of the array; None: 100, to be changed.
    script
        How the script is called.

    Raises
    ------
    UsageError
        For another executor.

    Examples
    --------
    >>> "#SBATCH --array=0-11%20" in example_sbatch("array", n_chunks=12)
    True
    """
    if executor not in EXECUTORS:
        raise UsageError(f"no executor {executor!r}: one of {', '.join(EXECUTORS)}")
    number = EXAMPLE_CHUNKS if n_chunks is None else n_chunks
    port = "$((50000 + SLURM_JOB_ID % 10000))"
    command = generate_hypershell_command(tasks, port=port, by_number=True)
    values = {
        "COMMAND": command.replace("--num-threads 0", '--num-threads "$SLURM_CPUS_PER_TASK"'),
        "PARALLEL": generate_parallel_command(tasks).replace("100%", '"$SLURM_CPUS_PER_TASK"'),
        "TASKS": shlex.quote(str(tasks)),
        "WRAPPER": shlex.quote(str(wrapper)),
        "PLAN": shlex.quote(str(chunk_plan)),
        "SCRIPT": shlex.quote(str(script)),
        "N_CHUNKS": f"{number:,}",
        "LAST": str(number - 1),
    }
    text = _BODIES[executor]
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def write_example_sbatch(
    output_path: str | Path, executor: str = "hypershell", **options: object
) -> Path:
    """Write an example SLURM script; see :func:`example_sbatch` for ``options``."""
    path = Path(output_path)
    text = example_sbatch(executor, script=path, **options)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())
    path.chmod(0o755)
    return path
