"""Workers in SLURM jobs: the scheduler is here, a supervisor keeps the jobs."""

from __future__ import annotations

import getpass
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client

from polytene.clusters import security, slurm_jobs
from polytene.clusters.guard import TreeMemory
from polytene.clusters.local import HOST, _quiet, _safe_settings, free_port
from polytene.clusters.reach import address_for
from polytene.clusters.slurm_jobs import SlurmError
from polytene.clusters.slurm_script import Kind, jobqueue, kinds_of, script_of
from polytene.clusters.supervisor import Arrivals, Supervisor
from polytene.core.deaths import ENDED
from polytene.exceptions import PreflightError, UsageError

logger = logging.getLogger(__name__)

FOLDER = ".polytene-slurm"
PREFIX = "polytene-"


def never() -> bool:
    """Nobody asks for a stop."""
    return False


def settings_of(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``polytene.cluster`` with overrides: of the jobs where SLURM has such a setting."""
    about: dict[str, Any] = dask.config.merge(dask.config.config, settings)["polytene"]["cluster"]
    slurm = {**about["slurm"]}
    for name, value in overrides.items():
        key = name.replace("_", "-")
        (slurm if key in slurm else about)[key] = value
    return {**about, "slurm": slurm}


@contextmanager
def open_slurm(
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any],
    stop: Callable[[], bool] | None = None,
) -> Iterator[Client]:
    """Start a scheduler here and its workers in SLURM jobs; leaving ends both."""
    about = settings_of(settings, overrides)
    kinds = kinds_of(about)
    for program in slurm_jobs.COMMANDS:
        slurm_jobs.check_command(program)
    with ExitStack() as stack:
        port = free_port(int(about["dashboard-port"]))
        stack.enter_context(dask.config.set(dask.config.merge(dask.config.config, settings)))
        stack.enter_context(dask.config.set({"polytene.cluster": about, **_safe_settings(port)}))
        stack.enter_context(_quiet())
        name = f"{PREFIX}{secrets.token_hex(4)}"
        folder = stack.enter_context(job_folder(about["slurm"]["folder"], name))
        (folder / "config").write_text(dask.config.serialize(dask.config.config))
        mode = "off" if about["tls"] in ("off", False) else "on"  # nodes are shared
        tls = security.security(mode, parent=folder, days=float(about["tls-days"]))
        trusted = stack.enter_context(tls)
        made = stack.enter_context(_scheduler(kinds, name, port, trusted))
        client = stack.enter_context(Client(made))
        client.register_plugin(TreeMemory())
        arrivals = Arrivals()
        made.scheduler.add_plugin(arrivals)
        supervisor = _supervisor(kinds, name, folder, trusted, made, arrivals)
        supervisor.on_error = partial(client.close, timeout=10)
        try:
            supervisor.start()
            supervisor.wait(stop or never, _seconds("polytene.no-workers-timeout"))
            _announce(client, kinds)
            yield client
        finally:
            supervisor.close()
            if supervisor.error:
                raise supervisor.error


def _seconds(key: str) -> float:
    return float(parse_timedelta(dask.config.get(key)))


@contextmanager
def job_folder(parent: str | None, name: str) -> Iterator[Path]:
    """Make a private folder that all nodes see, for logs and credentials.

    It is removed at the end, unless the work in it failed: then the logs stay.
    """
    folder = Path(parent or FOLDER).expanduser().absolute() / name
    if not str(folder).isprintable() or '"' in str(folder):
        raise UsageError(f"the folder for job logs has an impossible name: {str(folder)!r}")
    _sweep(folder.parent)
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise PreflightError(
            f"{folder}: cannot be made ({error.strerror}): name a folder that all nodes see, as "
            "polytene.cluster.slurm.folder"
        ) from None
    try:
        yield folder
    except PreflightError:
        (folder / "config").unlink(missing_ok=True)
        raise
    except BaseException:
        _clear(folder)
        raise
    _clear(folder)


def _sweep(parent: Path) -> None:
    """Remove what is left of clusters whose driver was killed, and jobs that still wait for it."""
    for folder in parent.glob(f"{PREFIX}*"):
        if any(folder.glob(f"{security.PREFIX}*")):
            security.sweep(folder)
            if not any(folder.glob(f"{security.PREFIX}*")):
                with suppress(SlurmError):
                    slurm_jobs.cancel_all(folder.name)
                shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a worker that ends may still write its log
    if folder.parent.name == FOLDER and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _scheduler(kinds: list[Kind], name: str, port: int, trusted: Any) -> Any:
    """Return a SLURMCluster that has a scheduler, bound to what the nodes can reach, and no jobs.

    Its own ``scale()`` does not replace jobs that end, so the supervisor submits them.
    """
    nodes = [n for kind in kinds for n in slurm_jobs.node_addresses(kind.queue)]
    nodes = nodes or slurm_jobs.node_addresses(None)  # sbatch is to say what is wrong with a queue
    host = address_for(nodes, kinds[0].interface)
    return jobqueue().SLURMCluster(
        cores=1,
        memory="1GB",
        processes=1,
        name=name,
        security=trusted,
        job_script_prologue=[],
        job_extra_directives=[],
        scheduler_options={"host": host, "dashboard_address": f"{HOST}:{port}"},
        silence_logs=logging.ERROR,
    )


def _supervisor(
    kinds: list[Kind], name: str, folder: Path, trusted: Any, made: Any, arrivals: Arrivals
) -> Supervisor:
    def script(kind: Kind, number: int) -> str:
        return script_of(kind, number, made.scheduler_address, name, folder, trusted)

    supervisor = Supervisor(kinds, script, name, folder, arrivals)
    supervisor.on_end = lambda about: made.loop.add_callback(made.scheduler.log_event, ENDED, about)
    return supervisor


def _announce(client: Client, kinds: list[Kind]) -> None:
    jobs = ", ".join(f"{k.workers} {k.name} x {k.threads} threads, --mem={k.mem}" for k in kinds)
    logger.info("SLURM jobs: %s; dashboard %s", jobs, client.dashboard_link)
    if "SSH_CONNECTION" in os.environ and client.dashboard_link:
        port = client.dashboard_link.rsplit(":", 1)[1].split("/")[0]
        me = f"{getpass.getuser()}@{socket.gethostname()}"
        logger.info("to see it from your own machine: ssh -L %s:%s:%s %s", port, HOST, port, me)
