"""SRA metadata against ElementTree, tarfile and omicidx, on a generated dump.

Run it alone on the machine: ``python tests/benchmarks/bench_metadata.py [--quick]``. omicidx is
taken along where it can be imported (``pip install --no-deps omicidx pydantic orjson``, a folder
named by ``--omicidx``).
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from bench import Report, interleaved, ratio

from polytene import cluster, metadata
from polytene.core.events import Begun, Ended
from polytene.metadata.parser.parse import Documents, parse
from polytene.metadata.parser.schema import COLUMNS, KINDS
from polytene.metadata.parser.tables import to_tables
from polytene.metadata.sources.find import open_source
from polytene.metadata.sources.tar import TarReader
from polytene.metadata.sources.tree import LARGE, SLICE_BYTES, TreeReader, side_by_side
from polytene.metadata.stages import write_table
from polytene.metadata.warm import warm
from polytene.testing import write_archive, write_dump, write_package_set

FIELDS = ("TITLE", "LIBRARY_NAME", "LIBRARY_STRATEGY", "LIBRARY_SOURCE", "LIBRARY_SELECTION",
          "LIBRARY_LAYOUT", "INSTRUMENT_MODEL", "STUDY_REF", "SAMPLE_DESCRIPTOR")  # fmt: skip


def files_of(root: Path, kinds: tuple[str, ...]) -> list[str]:
    """Return the documents of some kinds, in order."""
    return sorted(str(p) for k in kinds for p in root.glob(f"*/*.{k}.xml"))


def as_the_original(paths: list[str]) -> int:
    """Parse with ElementTree, and look about nine fields up below each record."""
    found = 0
    for path in paths:
        root = ElementTree.parse(path).getroot()
        for element in root.findall(".//EXPERIMENT"):
            found += sum(element.findtext(f".//{f}") is not None for f in FIELDS)
        for element in root.findall(".//SAMPLE"):
            found += element.findtext(".//SCIENTIFIC_NAME") is not None
            found += sum(1 for _ in element.findall(".//SAMPLE_ATTRIBUTE/TAG"))
        found += len(root.findall(".//RUN"))
    return found


def value_of(element: ElementTree.Element, path: str) -> str | None:
    """Return what a path of the schema leads to, walked with ElementTree."""
    steps, _, attribute = path.partition("@")
    if steps.endswith("/*#name"):
        above = element.find(steps[:-7])
        return None if above is None or not len(above) else above[0].tag
    target = element.find(steps) if steps else element
    if target is None:
        return None
    return target.get(attribute) if attribute else target.text


def with_elementtree(roots: Iterator[ElementTree.Element]) -> dict[str, dict[str, list[Any]]]:
    """Return the columns of the records and their attributes, found with ElementTree."""
    out: dict[str, dict[str, list[Any]]] = {k: {c.name: [] for c in COLUMNS[k]} for k in KINDS}
    tagged: dict[str, list[Any]] = {"owner": [], "tag": [], "value": []}
    for root in roots:
        for kind in KINDS:
            for element in root.iter(kind.upper()):
                for column in COLUMNS[kind]:
                    value = value_of(element, column.paths[0])
                    out[kind][column.name].append(value)
                upper = kind.upper()
                for one in element.findall(f"{upper}_ATTRIBUTES/{upper}_ATTRIBUTE"):
                    tagged["owner"].append(element.get("accession"))
                    tagged["tag"].append(one.findtext("TAG"))
                    tagged["value"].append(one.findtext("VALUE"))
    return {**out, "attribute": tagged}


def to_arrow(columns: dict[str, dict[str, list[Any]]]) -> dict[str, pa.Table]:
    """Return columns as Arrow tables."""
    return {
        kind: pa.table({n: pa.array(v, pa.string()) for n, v in found.items()})
        for kind, found in columns.items()
    }


def ours(slices: Iterator[Documents]) -> list[dict[str, pa.Table]]:
    """Return all tables of documents."""
    return [to_tables(parse(d).events, d.submissions) for d in slices]


def slices_of(root: Path, paths: list[str]) -> Iterator[Documents]:
    """Read files as the tree reader does."""
    skip = len(str(root)) + 1
    yield from TreeReader(root, [p[skip:] for p in paths]).slices()


def read_only(root: Path, paths: list[str]) -> int:
    """Open and read: the floor."""
    return sum(len(d.data) for d in slices_of(root, paths))


def slices_of_tar(path: Path) -> Iterator[Documents]:
    """Read the members of an archive as the spooler does."""
    names: list[str] = []
    parts: list[bytes] = []
    size = 0
    _, blocks = open_source(str(path))
    for member in TarReader(blocks, str(path), LARGE).members():
        if size >= SLICE_BYTES:
            yield joined(names, parts)
            names, parts, size = [], [], 0
        names.append(member.name)
        parts.append(member.data or b"")
        size += len(parts[-1])
    yield joined(names, parts)


def joined(names: list[str], parts: list[bytes]) -> Documents:
    """Return documents side by side."""
    ends = np.cumsum([0, *map(len, parts)])
    return side_by_side(names, np.frombuffer(b"".join(parts), np.uint8), ends)


def roots_of_tar(path: Path) -> Iterator[ElementTree.Element]:
    """Read an archive with the standard library."""
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                yield ElementTree.fromstring(file.read())


def bench_parse(report: Report, root: Path, rounds: int) -> None:
    """Read, parse, Arrow: experiments, samples and runs, and all kinds."""
    paths = files_of(root, ("experiment", "sample", "run"))
    warm()
    jobs = {
        "ours": lambda: ours(slices_of(root, paths)),
        "original": lambda: as_the_original(paths),
        "etree": lambda: to_arrow(with_elementtree(ElementTree.parse(p).getroot() for p in paths)),
        "floor": lambda: read_only(root, paths),
    }
    nbytes = sum(Path(p).stat().st_size for p in paths)
    times = interleaved(jobs, rounds)
    speed = len(paths) / float(np.median(times["ours"]))
    report.add(
        f"{len(paths):,} documents, {nbytes / 1e6:.0f} MB: read + parse + Arrow", speed, "files/s"
    )
    mine = nbytes / 1e6 / float(np.median(times["ours"]))
    report.add("the same", mine, "MB/s")
    for name, target, text in (
        ("original", 7, "ElementTree as the original uses it, no Arrow, over ours"),
        ("etree", 9, "ElementTree + Arrow, our columns, over ours"),
    ):
        figure = ratio(times[name], times["ours"])
        report.add(text, figure, "x", f">= {target}", figure >= target)
    report.add("ours over open + read alone", ratio(times["ours"], times["floor"]))


def bench_tar(report: Report, path: Path, rounds: int) -> None:
    """A tar.gz to Arrow."""
    jobs = {
        "ours": lambda: ours(slices_of_tar(path)),
        "tarfile": lambda: with_elementtree(roots_of_tar(path)),
        "walk": lambda: sum(len(d.data) for d in slices_of_tar(path)),
    }
    times = interleaved(jobs, rounds)
    figure = ratio(times["tarfile"], times["ours"])
    report.add(
        "tar.gz: tarfile + ElementTree over ours to Arrow", figure, "x", ">= 11", figure >= 11
    )
    report.add("tar.gz: ours to Arrow over unpacking alone", ratio(times["ours"], times["walk"]))


def bench_parquet(report: Report, root: Path, folder: Path, rounds: int, omicidx: str) -> None:
    """A tree to Parquet, against omicidx where it is."""
    paths = files_of(root, ("experiment", "sample", "run", "study"))
    out = folder / "parquet"
    out.mkdir(exist_ok=True)

    def to_parquet() -> None:
        reader = TreeReader(root, sorted(p.name for p in root.iterdir()))
        for i, tables in enumerate(ours(reader.slices())):
            for name, table in tables.items():
                if table.num_rows:
                    write_table(table, out / f"{name}.{i}.parquet")

    jobs = {"ours": to_parquet}
    if omicidx:
        sys.path.insert(0, omicidx)
        from omicidx.sra.parser import sra_object_generator

        def peer() -> None:
            rows: dict[str, list[Any]] = {}
            for path in paths:
                with open(path, "rb") as file:
                    for record in sra_object_generator(file):
                        rows.setdefault(type(record).__name__, []).append(record.data)
            for name, found in rows.items():
                table = pa.Table.from_pylist(found)
                pq.write_table(table, out / f"{name}.parquet", compression="zstd")

        jobs["omicidx"] = peer
    times = interleaved(jobs, rounds)
    report.add("a tree to Parquet", len(paths) / float(np.median(times["ours"])), "files/s")
    if omicidx:
        figure = ratio(times["omicidx"], times["ours"])
        report.add("omicidx to Parquet over ours", figure, "x", ">= 8", figure >= 8)


def write_large_set(path: Path, nbytes: int) -> int:
    """Write a package set of about so many bytes; return its packages."""
    each = 10_000
    base = write_package_set(path.with_suffix(".base"), packages=each)
    data = base.read_bytes()
    base.unlink()
    start = data.index(b"<EXPERIMENT_PACKAGE>")
    stop = data.rindex(b"</EXPERIMENT_PACKAGE_SET>")
    body = data[start:stop]
    rounds = max(1, nbytes // len(body))
    with open(path, "wb") as out:
        out.write(data[:start])
        for i in range(rounds):
            mark = b"%03d" % i
            moved = body.replace(b"SRX000", b"SRX" + mark).replace(b"SRS000", b"SRS" + mark)
            out.write(moved.replace(b"SRR000", b"SRR" + mark))
        out.write(data[stop:])
    return rounds * each


class Watch:
    """Times the runs of a build, and looks at the memory of workers and driver."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak = 0
        self._kind = ""
        self._begin: dict[str, float] = {}

    def __call__(self, event: Any) -> None:
        """Take an event."""
        if isinstance(event, Begun):
            self._kind = event.kind
            self._begin.setdefault(event.kind, time.perf_counter())
        elif isinstance(event, Ended):
            self.seconds[self._kind] = time.perf_counter() - self._begin[self._kind]
        self.peak = max(self.peak, psutil.Process().memory_info().rss)


def bench_build(report: Report, folder: Path, nbytes: int) -> None:
    """A large set file under 512 MiB, and two workers against one."""
    path = folder / "large_set.xml"
    packages = write_large_set(path, nbytes)
    size = path.stat().st_size / 1e9
    seconds: dict[int, float] = {}
    load = os.getloadavg()[0]
    for workers in (1, 2):
        watch = Watch()
        options = {"workers": workers, "memory_limit": "512MiB", "dashboard_port": 0}
        with cluster("local", **options) as client:
            client.run(warm)
            kb = folder / f"kb{workers}"
            begin = time.perf_counter()
            outcome = metadata.build(path, kb, client=client, on_event=watch)
            whole = time.perf_counter() - begin
        assert outcome.items == packages, "not every package was read"
        assert metadata.open(kb).view("experiment").num_rows == packages, "packages were lost"
        seconds[workers] = whole
        text = f"{size:.1f} GB set file, {workers} worker{'s'[: workers - 1]} of 512 MiB: build"
        report.add(text, whole, "s", "finishes", True)
        parts = ", ".join(
            f"{k.removeprefix('metadata-')} {v:.1f} s" for k, v in watch.seconds.items()
        )
        print(f"    {parts}")
    figure = seconds[1] / seconds[2]
    text = f"a build with two workers over one (load before: {load:.1f} of {os.cpu_count()})"
    report.add(text, figure, "x", ">= 1.7", figure >= 1.7)


def bench_driver(report: Report, folder: Path, n: int) -> None:
    """Memory of the driver for many tiny submissions."""
    path = folder / "tiny.tar"
    with open(path, "wb") as out:
        for i in range(n):
            name = f"SRA{i:07d}/SRA{i:07d}.run.xml"
            data = b'<RUN_SET><RUN accession="SRR%07d"/></RUN_SET>' % i
            head = tarfile.TarInfo(name)
            head.size = len(data)
            out.write(head.tobuf(tarfile.USTAR_FORMAT) + data.ljust(512, b"\0"))
        out.write(bytes(1024))
    before = psutil.Process().memory_info().rss
    watch = Watch()
    with cluster("local", workers=2, memory_limit="1GiB", dashboard_port=0) as client:
        begin = time.perf_counter()
        outcome = metadata.build(path, folder / "tiny", client=client, on_event=watch)
        seconds = time.perf_counter() - begin
    assert outcome.items == n, "not every submission was read"
    grown = (watch.peak - before) / 2**20
    report.add(f"{n:,} tiny submissions: driver grows by", grown, "MiB", "<= 150", grown <= 150)
    report.add("the same, from the archive to the knowledge base", n / seconds, "files/s")


def bench_crosstab(report: Report, rows: int) -> None:
    """A four-way cross-tab, which a GPU could do."""
    random = np.random.default_rng(1)
    kinds = (50_000, 40, 9, 35)
    table = pa.table(
        {
            f"f{i}": pa.DictionaryArray.from_arrays(
                pa.array(np.minimum(random.zipf(1.3, rows), n) - 1, pa.int32()),
                pa.array([f"value {k}" for k in range(n)]),
            )
            for i, n in enumerate(kinds)
        }
    )
    begin = time.perf_counter()
    cells = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
    seconds = time.perf_counter() - begin
    report.add(
        f"four-way cross-tab of {rows / 1e6:.0f} M rows ({cells.num_rows:,} cells)", seconds, "s"
    )


def main() -> None:
    """Run the benchmarks, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--omicidx", default="", help="folder that omicidx is installed in")
    parser.add_argument("-o", "--output", default="docs/_figures", help="folder of JSON and table")
    args = parser.parse_args()
    scale, rounds = (10, 3) if args.quick else (1, 5)
    report = Report("metadata benchmarks")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        root = write_dump(folder / "dump", submissions=3000)
        archive = write_archive(folder / "dump.tar.gz", submissions=3000, tables=False)
        bench_parse(report, root, rounds)
        bench_tar(report, archive, rounds)
        bench_parquet(report, root, folder, rounds, args.omicidx)
        bench_crosstab(report, 20_000_000 // scale)
        bench_build(report, folder, 1_000_000_000 // scale)
        bench_driver(report, folder, 1_000_000 // scale)
    report.write(args.output)


if __name__ == "__main__":
    main()
