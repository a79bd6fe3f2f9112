"""``polytene lightcurves``: fetch, extract and retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polytene import lightcurves as lc
from polytene.command import RunOptions, execute, finish, output_of, run_options, say
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan
from polytene.exceptions import UsageError
from polytene.lightcurves.look_cli import COMMANDS, said, summary
from polytene.lightcurves.plan import BATCH_SIZE, fetch_plan
from polytene.lightcurves.run import extract_plan, fetch_planned
from polytene.lightcurves.sources import CONNECTIONS, Archive, LocalFiles, Source, saved_source

_ARCHIVE = (
    click.option(
        "--cache",
        type=click.Path(path_type=Path),
        default=Path("lightcurve-cache"),
        show_default=True,
        help="Folder of downloaded files; many runs may share it.",
    ),
    click.option(
        "--connections",
        type=click.IntRange(1),
        default=CONNECTIONS,
        show_default=True,
        help="Downloads at a time, over the whole cluster.",
    ),
    click.option(
        "--family",
        type=click.Choice(["spoc-120", "spoc-20", "long", "short"]),
        default="spoc-120",
        show_default=True,
        help="Product family; those of one target are never mixed.",
    ),
    click.option(
        "--products",
        type=click.Path(path_type=Path, exists=True),
        help="Table of target_id and url (bytes, md5), instead of asking MAST.",
    ),
    click.option(
        "--base-url",
        "bases",
        multiple=True,
        help="Where files are downloaded from, best first; may be repeated.",
    ),
    click.option("--search-url", help="Base of the search service."),
)


def archive_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an archive."""
    for option in reversed(_ARCHIVE):
        command = option(command)
    return command


def _archive(given: dict[str, Any]) -> Archive:
    chosen = {k: v for k, v in given.items() if k in ("connections", "family", "products")}
    if given["bases"]:
        chosen["bases"] = given["bases"]
    if given["search_url"]:
        chosen["search"] = given["search_url"]
    return Archive(given["cache"], **chosen)


@click.group("lightcurves")
def group() -> None:
    """Transit search and features over lists of targets of any size."""


for _command in COMMANDS:
    group.add_command(_command)


_RUN = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Run directory; features.csv and features.parquet appear in it.",
)


@group.command()
@click.argument("samples", type=click.Path(path_type=Path))
@_RUN
@archive_options
@run_options
def fetch(options: RunOptions, samples: Path, output: Path, **given: Any) -> None:
    """Download the light curves of a table of targets into a cache.

    Without --cluster the downloads share this process, as they mostly wait.
    """
    archive = _archive(given)
    plan = fetch_plan(samples, archive)

    def runner(plan: Plan[Any], client: Any, **engine: Any) -> Outcome:
        chosen = options.cluster or options.client or options.workers
        client = client if chosen else threads_for(archive.connections)
        return fetch_planned(plan, archive=archive, client=client, **engine)

    _refuse_run_dir(options)
    outcome = execute(options, plan, runner, output)
    if outcome is not None:
        found = outcome.result
        say(options, f"{found['files']:,} files, {found['bytes'] / 1e6:,.1f} MB in {archive.cache}")
        if missing := found["missing"]:
            say(options, f"{len(missing):,} targets have none, such as {missing[0]}")
        finish(options, outcome, **found)


def threads_for(n: int) -> Any:
    """Return a client of this process whose threads wait for the network."""
    from distributed import Client

    return Client(
        processes=False,
        n_workers=1,
        threads_per_worker=n,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        set_as_default=False,
    )


@group.command()
@click.argument("samples", type=click.Path(path_type=Path))
@_RUN
@click.option(
    "--source",
    "where",
    required=True,
    metavar="DIR|archive",
    help="A folder of light curves, or the missions' archives.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=BATCH_SIZE,
    show_default=True,
    help="Targets that share one part file; no result depends on it.",
)
@click.option("--tls/--no-tls", default=False, show_default=True, help="Also the tls_* features.")
@click.option(
    "--schema",
    type=click.Choice(["v1", "starter"]),
    default="v1",
    show_default=True,
    help="starter: the 27 features of the exoplanet starter notebooks.",
)
@click.option(
    "--window",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Of the trend that is divided out.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "auto"]),
    default="cpu",
    show_default=True,
    help="cuda: on workers that own a GPU; auto: if there are some.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="That one target may compute.",
)
@archive_options
@run_options
def extract(
    options: RunOptions,
    samples: Path,
    output: Path,
    where: str,
    batch_size: int,
    tls: bool,
    schema: Any,
    window: float,
    device: str,
    timeout: float | None,
    **given: Any,
) -> None:
    """Turn a table of targets into a table of features, one row each.

    SAMPLES is CSV or Parquet; only the column target_id is required. The same command again
    resumes, and tries again what failed in transport.
    """
    _refuse_run_dir(options)
    source: Source = _archive(given) if where == "archive" else LocalFiles(where)
    about = {"schema": schema, "tls": tls, "window": window, "device": device}
    plan = lc.plan(samples, source=source, batch_size=batch_size, **about)

    def runner(plan: Plan[Any], **engine: Any) -> Outcome:
        return extract_plan(plan, source=source, timeout=timeout, **engine)

    outcome = execute(options, plan, runner, output)
    if outcome is not None:
        output = output_of(options, plan, output, folder=True)
        counts = summary(outcome.result)
        say(options, f"{said(counts['status'])}; {output / 'features.csv'}")
        finish(options, outcome, **counts, output=str(output / "features.csv"))


def _refuse_run_dir(options: RunOptions) -> None:
    if options.run_dir:
        raise UsageError("--run-dir: -o names the run directory, leave it out")


@group.command()
@click.argument("run", type=click.Path(path_type=Path))
@run_options
def retry(options: RunOptions, run: Path) -> None:
    """Try again every target of an extraction that failed, whatever the reason."""
    _refuse_run_dir(options)
    source = saved_source(run)
    plan: Plan[Any] = Plan.load(run, lc.Target)

    def runner(plan: Plan[Any], **engine: Any) -> Outcome:
        return extract_plan(plan, source=source, **{**engine, "retry_quarantined": True})

    outcome = execute(options, plan, runner, run)
    if outcome is not None:
        counts = summary(outcome.result)
        say(options, f"{said(counts['status'])}; {run / 'features.csv'}")
        finish(options, outcome, **counts, output=str(run / "features.csv"))
