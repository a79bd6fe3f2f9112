"""``polytene cluster``: look at a cluster, try it, keep one running."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import yaml

from polytene.clusters import cluster as open_cluster
from polytene.clusters import is_address, named, settings_of
from polytene.exceptions import PreflightError, UsageError
from polytene.signals import stop_asked

MARKS = {True: "ok  ", False: "FAIL", None: "?   "}


@click.group()
def cluster() -> None:
    """Look at a cluster, try it, or keep one running.

    NAME is what --cluster takes: local, cuda, slurm, slurm-gpu, a .yaml file, or an address.
    """


@cluster.command()
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Show a cluster's settings, and its job scripts on SLURM; without NAME, what there is."""
    if name is None:
        for known in named.names():
            path = named.file_of(known)
            assert path is not None
            click.echo(f"{known:12}{path}")
        return
    kind, settings = settings_of(name)
    text = yaml.safe_dump(settings or {"polytene": {"cluster": {"kind": kind}}}, sort_keys=False)
    click.echo(text.rstrip())
    if kind == "slurm":
        from polytene.clusters.slurm_check import scripts

        for title, script in scripts(settings):
            click.echo(f"\n# The script of a job for {title}\n{script.rstrip()}")


@cluster.command()
@click.argument("name")
@click.option(
    "--patience",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a probe job may wait in the queue.",
)
def check(name: str, patience: float) -> None:
    """Try a cluster: its settings, then one worker of each kind, seen from inside.

    Exit code 4 where something is wrong.
    """
    from polytene.clusters.check import check as look

    bad = 0
    for found in look(name, patience):
        bad += found.good is False
        click.echo(f"{MARKS[found.good]} {found.what}: {found.detail}")
    if bad:
        sys.exit(PreflightError.exit_code)


@cluster.command()
@click.argument("name")
@click.option("--workers", type=click.IntRange(1), help="Workers; jobs on SLURM.")
@click.option("--memory-limit", metavar="SIZE", help="Memory per worker.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("cluster.yaml"),
    show_default=True,
    help="File to be given as --cluster while this runs; it is removed at the end.",
)
def start(name: str, workers: int | None, memory_limit: str | None, write: Path) -> None:
    """Start a cluster and keep it until Ctrl-C, for many commands in turn."""
    if is_address(name):
        raise UsageError(f"{name} runs already: give it as --cluster")
    options = {"workers": workers, "memory_limit": memory_limit}
    with stop_asked(None) as stop, open_cluster(name, stop=stop, **options) as client:
        _write_connection(write, client)
        click.echo(f"scheduler {client.scheduler.address}; dashboard {client.dashboard_link}")
        click.echo(f"use it with: --cluster {write}")
        try:
            while not stop() and client.status == "running":
                time.sleep(0.2)
        finally:
            write.unlink(missing_ok=True)


def _write_connection(path: Path, client: Any) -> None:
    """Write how to connect; who may read the certificates it names may connect."""
    about: dict[str, Any] = {"polytene": {"cluster": {"kind": client.scheduler.address}}}
    tls = client.security.get_tls_config_for_role("client")
    if tls.get("key"):
        own = {"client": {"key": tls["key"], "cert": tls["cert"]}, "ca-file": tls["ca_file"]}
        about["distributed"] = {"comm": {"require-encryption": True, "tls": own}}
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            yaml.safe_dump(about, file)
    except FileExistsError:
        raise UsageError(
            f"{path} is there: of another cluster? Give --write another name"
        ) from None


COMMANDS = (cluster,)
