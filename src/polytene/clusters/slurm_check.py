"""What can be seen of a SLURM cluster before any job is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polytene.clusters import slurm_jobs
from polytene.clusters.check import Found
from polytene.clusters.reach import address_for
from polytene.clusters.slurm import job_folder, settings_of
from polytene.clusters.slurm_script import Kind, kinds_of, script_of, slurm_time
from polytene.exceptions import PolyteneError

NOWHERE = "tls://127.0.0.1:1"


def look(settings: Mapping[str, Any]) -> Iterator[Found]:
    """Look at programs, settings, folder, way to the nodes, and each kind's script."""
    about = settings_of(settings, {})
    try:
        kinds = kinds_of(about)
        for name in slurm_jobs.COMMANDS:
            slurm_jobs.check_command(name)
        version = slurm_jobs.command("sbatch", "--version").strip()
        yield Found("SLURM", True, version)
        nodes = [n for kind in kinds for n in slurm_jobs.node_addresses(kind.queue)]
        way = address_for(nodes, kinds[0].interface)
        yield Found("way to the nodes", True, f"{way}, for {len(set(nodes))} node addresses")
        with job_folder(about["slurm"]["folder"], "check") as folder:
            yield Found("folder of jobs", True, str(folder.parent))
            yield from (_kind(kind, folder) for kind in kinds)
    except PolyteneError as error:
        yield Found("SLURM", False, str(error))


def _kind(kind: Kind, folder: Path) -> Found:
    script = script_of(kind, 0, NOWHERE, "polytene-check", folder, None)
    detail = (
        f"{kind.workers} x {kind.threads} threads, --mem={kind.mem or 'as SLURM gives'}, "
        f"{slurm_time(kind.walltime)} each, draining {kind.margin:.0f} s before"
    )
    return Found(f"jobs for {kind.name}", True, f"{detail}; {slurm_jobs.try_script(script)}")


def scripts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return each kind's name and the script of its first job."""
    about = settings_of(settings, {})
    folder = Path(about["slurm"]["folder"] or ".polytene-slurm").absolute() / "NAME"
    for kind in kinds_of(about):
        yield kind.name, script_of(kind, 0, "tls://SCHEDULER", "polytene-NAME", folder, None)
