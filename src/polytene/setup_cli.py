"""Setting up: doctor, configuration, shell completion, versions, warm-up."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

EXIT_UNFIT = 4
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
INSTALL = {
    "bash": 'Add to ~/.bashrc:  eval "$(polytene completion bash)"',
    "zsh": 'Add to ~/.zshrc, after compinit:  eval "$(polytene completion zsh)"',
    "fish": "polytene completion fish > ~/.config/fish/completions/polytene.fish",
}


@click.command()
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where runs shall be kept: its file system is tried.  [default: here]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(run_dir: Path, as_json: bool) -> None:
    """Check this machine for what runs need.

    Packages, memory, file system, a local cluster, archives, SLURM, GPUs, programs: each is tried,
    and where it does not work a line says what to do. Exit code 4 if runs cannot work.
    """
    from polytene.doctor import checks

    found = []
    for check in checks(run_dir):
        found.append(check)
        if not as_json:
            mark = click.style(f"{check.status:5}", fg=COLORS[check.status])
            click.echo(f"{mark} {check.name:14} {check.said}")
            if check.remedy:
                click.echo(f"{'':21}-> {check.remedy}")
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found]))
    sys.exit(EXIT_UNFIT if any(check.status == "fail" for check in found) else 0)


@click.group()
def config() -> None:
    """Show settings, or write a file of them to edit."""


@config.command()
@click.argument("key", default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(key: str, as_json: bool) -> None:
    """Print the settings below KEY and where each is from: default, file or environment."""
    from polytene.config import settings

    found = settings(key)
    if as_json:
        click.echo(json.dumps([asdict(s) for s in found], default=str))
        return
    values = [json.dumps(s.value, default=str) for s in found]
    name, width = max(len(s.name) for s in found), max(map(len, values))
    for s, value in zip(found, values, strict=True):
        wrong = "" if s.known else "  (polytene reads no such setting)"
        click.echo(f"{s.name:{name}}  {value:{width}}  {s.source}{wrong}")


@config.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
def init(path: Path | None, force: bool) -> None:
    """Write the defaults, each with its comment, to PATH or to Dask's folder of settings."""
    import dask.config

    from polytene.config import write_defaults

    path = path or Path(dask.config.PATH)
    if path.suffix not in (".yaml", ".yml"):
        path /= "polytene.yaml"
    write_defaults(path, force=force)
    click.echo(f"{path}: the defaults, commented out; edit it, then: polytene config show")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    assert kind is not None
    click.echo(f"# {INSTALL[shell]}")
    click.echo(kind(root, {}, "polytene", "_POLYTENE_COMPLETE").source())


@click.command()
def versions() -> None:
    """Print the versions of polytene and of what it computes with."""
    from polytene.core.versions import versions as found

    for name, version in found().items():
        click.echo(f"{name:16}{version}")


@click.command()
def warmup() -> None:
    """Compile the kernels ahead of the first run."""
    import time

    from polytene.codons import kernels
    from polytene.codons.packed.columns import warm as warm_packed
    from polytene.codons.pairs.kernels import warm as warm_pairs
    from polytene.genome import warm
    from polytene.lightcurves.bls import warm as warm_search
    from polytene.metadata.warm import warm as warm_scanner

    rooms = {
        "codons": (kernels.warm, warm_pairs, warm_packed),
        "genome": (warm.warm,),
        "metadata": (warm_scanner,),
        "lightcurves": (warm_search,),
    }
    for room, compilers in rooms.items():
        start = time.perf_counter()
        click.echo(f"compiling the kernels of {room} ...", nl=False)
        for compiler in compilers:
            compiler()
        click.echo(f" done in {time.perf_counter() - start:.1f} s")


COMMANDS = (doctor, config, completion, versions, warmup)
