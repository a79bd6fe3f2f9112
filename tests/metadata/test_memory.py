"""What many tiny submissions cost the driver, and kernels each machine: counted, not timed."""

from __future__ import annotations

import tarfile
import tracemalloc
from pathlib import Path

import numpy as np

from polytene.metadata.parser import column_kernels, kernels
from polytene.metadata.parser.parse import parse_bytes
from polytene.metadata.plan import Shards, TreeShards, parse_plan
from polytene.metadata.sources.tree import Listing
from polytene.testing import write_archive


def test_a_hundred_thousand_submissions_cost_the_driver_a_few_bytes_each(tmp_path):
    n = 100_000
    names = np.array([b"SRA%07d" % i for i in range(n)])
    tracemalloc.start()
    try:
        plan = parse_plan(Shards([TreeShards(Path("/dump"), Listing(names), 64 << 20)]))
        saved = plan.save(tmp_path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(saved) == len(plan) < n / 500
    assert sum(len(unit.entries.split("/")) for unit in plan) == n
    assert kept < n
    assert peak < 100 * n


def test_ten_thousand_tiny_submissions_of_an_archive(tmp_path, build):
    n, path = 10_000, tmp_path / "tiny.tar"
    with open(path, "wb") as out:
        for i in range(n):
            data = b'<RUN_SET><RUN accession="SRR%07d"/></RUN_SET>' % i
            head = tarfile.TarInfo(f"SRA{i:07d}/SRA{i:07d}.run.xml")
            head.size = len(data)
            out.write(head.tobuf(tarfile.USTAR_FORMAT) + data.ljust(512, b"\0"))
        out.write(bytes(1024))
    kb, outcome = build(path, shard_bytes="256KiB")
    assert outcome.items == n
    assert kb.view("run").num_rows == n
    assert outcome.planned < n / 500
    lists = [kb.folder / "work" / "inputs.json", *kb.folder.glob("work/**/plan/*")]
    assert sum(p.stat().st_size for p in lists if p.is_file()) < 3 * n


def test_kernels_are_compiled_once_wherever_documents_come_from(tmp_path, build, dump):
    """A second signature would cost each machine ten seconds more."""
    build(dump)
    build(write_archive(tmp_path / "dump.tar.gz", submissions=3))
    parse_bytes(b"<RUN_SET><RUN accession='R1' size='1'/></RUN_SET>")
    found = [kernels.scan, kernels._document, *vars(column_kernels).values()]
    counts = {f.__name__: len(f.signatures) for f in found if hasattr(f, "signatures")}
    assert {"scan", "_document", "gather", "integers", "buckets"} <= set(counts)
    assert set(counts.values()) == {1}
