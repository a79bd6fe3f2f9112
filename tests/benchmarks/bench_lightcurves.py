"""Transit search, extraction and downloads against astropy and against one connection.

Run it alone on the machine: ``python tests/benchmarks/bench_lightcurves.py [--quick]``. Real light
curves are used where ``--data`` names a folder of them; generated ones of their size else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.timeseries import BoxLeastSquares
from bench import Report, interleaved, ratio

from polytene import lightcurves as lc
from polytene.testing import stars
from polytene.testing.stars import columns, file_name, fits_bytes

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.lightcurves.archive_server import ArchiveServer
from tests.lightcurves.injections import KINDS, injections

DURATIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.33)
PLACES = {
    "TESS, one sector": "tess*25155310*.fits",
    "TESS, 5 sectors in a year": "pimen_year1.csv",
}


def generated(sectors: list[int]) -> lc.LightCurve:
    """Return sectors of a star with a planet."""
    star = next(stars(1))
    parts = [columns(star, s) for s in sectors]
    curves = [
        lc.LightCurve.from_arrays(
            c["TIME"], c["PDCSAP_FLUX"], c["PDCSAP_FLUX_ERR"], quality=c["QUALITY"]
        )
        for c in parts
    ]
    return lc.stitch(curves).flatten()


def kepler() -> lc.LightCurve:
    """Return four years of long cadence with a planet of 12.3 days."""
    random = np.random.default_rng(1)
    when = np.arange(0, 1459, 29.42 / 1440)
    flux = 1 + random.normal(0, 2e-4, when.size)
    flux -= 4e-4 * (np.abs((when - 3.1) % 12.345 - 6) < 0.1)
    return lc.LightCurve(when, flux, np.full(when.size, 2e-4))


def curves(data: Path | None) -> dict[str, lc.LightCurve]:
    """Return the light curves that are searched."""
    made = {
        "TESS, one sector": generated([1]),
        "TESS, 5 sectors in a year": generated([1, 4, 7, 10, 13]),
    }
    for name, pattern in PLACES.items():
        if data and (found := sorted(data.glob(pattern))):
            made[name] = lc.read(found[0]).flatten()
    made["Kepler, long cadence, 4 years"] = kepler()
    return made


def bench_search(report: Report, data: Path | None, rounds: int) -> None:
    """Compare exact and auto with astropy on one grid; the best period must be the same."""
    targets = {"TESS, one sector": (5.0, 40), "TESS, 5 sectors in a year": (3.5, 100)}
    for name, curve in curves(data).items():
        least, fast = targets.get(name, (3.5, 30))
        uniform = lc.LightCurve(curve.time, curve.flux, np.full(len(curve), curve.scatter))
        error = curve.flux_err if curve.flux_err is not None else uniform.flux_err
        error = error * (1 + 0.2 * np.sin(np.arange(len(curve))))
        weighted = lc.LightCurve(curve.time, curve.flux, error)
        durations = DURATIONS
        if name.startswith("Kepler"):
            grids = [lc.optimal_periods(curve.baseline, 0.5, 100, oversampling=n) for n in (10, 3)]
            durations = DURATIONS[1:]
        elif curve.baseline > 100:
            grids = [lc.optimal_periods(curve.baseline, oversampling=n) for n in (10, 3)]
        else:
            grids = [lc.uniform_periods(curve.baseline, maximum=13, frequency_factor=3)]
            grids.append(lc.optimal_periods(curve.baseline))
        periods = grids[0]
        some = periods[:: max(1, periods.size // 2000)]
        for kind, target in (("equal errors", uniform), ("errors of points", weighted)):
            bench_pair(report, f"{name}, {kind}", target, some, durations, rounds,
                       least if kind == "equal errors" else 3.5)  # fmt: skip
        bench_auto(report, name, uniform, periods, durations, fast)
        least_here = fast if len(curve) >= 90_000 else None
        bench_auto(report, f"{name}, default grid", uniform, grids[1], durations, least_here)


def bench_identity(report: Report, data: Path | None, n: int) -> None:
    """Count the light curves whose best period, depth and SNR are those of exact and astropy."""
    for kind in KINDS:
        tried, same = 0, 0
        for curve, periods in injections(kind, n):
            exact = lc.bls(curve, periods, DURATIONS, method="exact")
            if exact.snr >= 8:
                tried += 1
                same += is_same(lc.bls(curve, periods, DURATIONS), exact)
        what = f"auto is exact: injections of SNR >= 8, {kind}"
        report.add(what, same, f"of {tried}", "all", same == tried)
    tried, same = 0, 0
    for path in sorted(data.iterdir()) if data else []:
        if path.suffix not in (".fits", ".csv"):
            continue
        curve = lc.read(path).flatten()
        errors = curve.flux_err if curve.flux_err is not None else curve.scatter
        errors = errors * (1 + 0.2 * np.sin(np.arange(len(curve))))
        periods = lc.optimal_periods(curve.baseline, oversampling=1 if len(curve) > 5e4 else 3)
        for error in (np.full(len(curve), curve.scatter), errors):
            model = lc.LightCurve(curve.time, curve.flux, error)
            found = [lc.bls(model, periods, DURATIONS, method=m, wrap="astropy")
                     for m in ("auto", "exact")]  # fmt: skip
            power = theirs(model, periods, DURATIONS).power
            first = int(np.flatnonzero(power >= power.max() * (1 - 1e-9))[0])
            tried += 1
            same += is_same(*found) and found[0].index == first
    if tried:
        what = "auto is exact is astropy: real light curves, equal errors and errors of points"
        report.add(what, same, f"of {tried}", "all", same == tried)


def is_same(a: lc.BLSResult, b: lc.BLSResult) -> bool:
    """Whether two searches found the same."""
    return a.index == b.index and bool(np.allclose([a.depth, a.snr], [b.depth, b.snr], 1e-6, 0))


def bench_pair(
    report: Report,
    name: str,
    curve: lc.LightCurve,
    periods: np.ndarray,
    durations: tuple[float, ...],
    rounds: int,
    least: float,
) -> None:
    """Compare the whole spectrum of some periods."""
    jobs = {
        "astropy": lambda: theirs(curve, periods, durations),
        "exact": lambda: lc.bls(curve, periods, durations, method="exact", wrap="astropy"),
    }
    seconds = interleaved(jobs, rounds)
    power = theirs(curve, periods, durations).power
    ours = jobs["exact"]().spectrum["power"].values
    worst = float(np.abs(ours / power - 1).max())
    figure = ratio(seconds["astropy"], seconds["exact"])
    report.add(f"exact over astropy: {name}", figure, "x", f">= {least:g}", figure >= least)
    report.add("  largest difference of the power", worst, "rel.", "<= 1e-6", worst <= 1e-6)


def theirs(curve: lc.LightCurve, periods: np.ndarray, durations: tuple[float, ...]) -> object:
    """Search with astropy."""
    model = BoxLeastSquares(curve.time, curve.flux, curve.flux_err)
    return model.power(periods, durations, oversample=10)


def bench_auto(
    report: Report,
    name: str,
    curve: lc.LightCurve,
    periods: np.ndarray,
    durations: tuple[float, ...],
    least: float | None,
) -> None:
    """Compare the search for the best period; astropy's time is that of a sample of periods."""
    sample = periods[:: max(1, periods.size // 2000)]
    jobs = {
        "astropy": lambda: theirs(curve, sample, durations),
        "auto": lambda: lc.bls(curve, periods, durations),
    }
    seconds = interleaved(jobs, 2)
    figure = ratio(seconds["astropy"], seconds["auto"]) * periods.size / sample.size
    what = f"auto over astropy, per period: {name}, {periods.size:,} periods"
    target = "" if least is None else f">= {least:g}"
    report.add(what, figure, "x", target, None if least is None else figure >= least)


def bench_extract(report: Report, folder: Path, n: int) -> None:
    """Time read, flatten, features and search of one sector in this process."""
    paths = []
    for star in stars(n):
        path = folder / file_name(star)
        path.write_bytes(fits_bytes(star))
        paths.append(path)
    lc.features(lc.read(paths[0]))
    start = time.process_time()
    for path in paths:
        lc.features(lc.read(path))
    each = 1000 * (time.process_time() - start) / n
    report.add("a sector: read + flatten + search + features", each, "ms CPU", "<= 40", each <= 40)
    start = time.perf_counter()
    outcome = lc.extract([s.target_id for s in stars(n)], folder / "run", folder)
    whole = 1000 * (time.perf_counter() - start) / n
    assert outcome.complete
    report.add("the same as a run in this process, wall", whole, "ms")


def bench_download(report: Report, folder: Path, n: int) -> None:
    """Compare n connections with one, against a server that takes 150 ms to answer."""
    body = fits_bytes(next(stars(1)))
    names = [file_name(s) for s in stars(n)]
    products = folder / "products.csv"
    lines = [f"{s.target_id},{name}" for s, name in zip(stars(n), names, strict=True)]
    products.write_text("\n".join(["target_id,url", *lines]) + "\n")
    ids = [s.target_id for s in stars(n)]
    ours, server_end = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(server_end, dict.fromkeys(names, body)))
    server.start()
    base = ours.recv()
    best: dict[int, float] = {}
    peaks: dict[int, int] = {}
    for i, connections in enumerate((8, 1, 4, 8, 4, 8)):  # the first pays for imports
        source = lc.Archive(folder / f"cache{i}", products=products, connections=connections,
                            bases=(base,))  # fmt: skip
        client = threads(connections)
        start = time.perf_counter()
        lc.fetch(ids[: n if i else 8], folder / f"fetch{i}", source, client=client)
        seconds = time.perf_counter() - start
        client.close()
        ours.send("peak")
        peaks[connections] = max(peaks.get(connections, 0), ours.recv())
        if i:
            best[connections] = min(seconds, best.get(connections, seconds))
    ours.send("end")
    server.join()
    report.add(
        "downloads: a file over one connection, 150 ms of them waiting", 1000 * best[1] / n, "ms"
    )
    for connections in (4, 8):
        figure = best[1] / best[connections] / connections
        name = f"downloads: share of {connections} connections' ideal speed-up"
        report.add(name, figure, "", ">= 0.85", figure >= 0.85)
        kept = peaks[connections] <= connections
        report.add("  peak of connections at the server", peaks[connections], "",
                   f"<= {connections}", kept)  # fmt: skip


def serve(pipe: Any, files: dict[str, bytes]) -> None:
    """Serve files from a process of its own; answer with the peak of connections since then."""
    with ArchiveServer(files, latency=0.15) as server:
        pipe.send(server.base)
        while pipe.recv() == "peak":
            pipe.send(server.peak)
            server.peak = 0


def threads(n: int) -> object:
    """Return a client whose threads wait for the network."""
    from polytene.lightcurves.cli import threads_for

    return threads_for(n)


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and targets")
    parser.add_argument("--data", type=Path, help="folder of real light curves")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    report = Report("lightcurves benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_search(report, args.data, 2 if args.quick else 3)
        bench_identity(report, args.data, 5 if args.quick else 52)
        bench_extract(report, folder, 10 if args.quick else 40)
        bench_download(report, folder, 24 if args.quick else 64)
    report.write(args.output)


if __name__ == "__main__":
    main()
