"""Reads on disk: what a run holds, on which disk, and that no quota is exceeded."""

from __future__ import annotations

import json
import threading

import dask
import pytest
from tests.core.pinned import cluster

from polytene import rnaseq
from polytene.exceptions import UsageError
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.units import FASTQ_PER_SRA, kind_of

RUN = "SRR90000001"
MD5 = "0" * 32
HOSTS = ("127.0.0.2", "127.0.0.3")


def sample(remote=(), *, mode="auto", sources=("ena",), scratch=None, **about):
    settings = Settings(out="w", index="i", mode=mode, sources=sources, scratch=scratch)
    return kind_of(settings)("SRR000001", remote=remote, **about)


@pytest.mark.parametrize(
    ("made", "holds"),
    [
        (sample([("u", 10, MD5)]), {}),
        (sample([("u", 10, MD5)], mode="staged"), {"disk": 10}),
        (sample([("u", 10, None)]), {"disk": 10}),
        (sample([("u", 10, None)], mode="stream"), {}),
        (sample([("u", None, None)]), {"disk": 1}),
        (sample([("u", 10, MD5), ("v", 5, MD5)], mode="staged", scratch="host"), {"host.disk": 15}),
        (
            sample([("u", 10, MD5)], sources=("ena", "sra"), sra_bytes=20),
            {"disk": 20 * (1 + FASTQ_PER_SRA)},
        ),
        (sample([("u", 10, MD5)], sources=("sra",)), {"disk": 10 * (1 + FASTQ_PER_SRA)}),
        (sample(sources=("local",), local=(("a.fastq.gz", 9, 1),)), {}),
        (sample(sources=("local",), local=(("a.sra", 9, 1),)), {"disk": 9 * FASTQ_PER_SRA}),
    ],
)
def test_a_run_holds_what_its_way_of_fetching_takes(made, holds):
    assert dict(made.footprint) == holds


def test_a_limit_that_nobody_can_vouch_for_is_refused(plan, archive):
    with pytest.raises(UsageError, match="how large the reads of 1 runs are"):
        plan(["SRR99999999"], sources=["sra"], disk_limit="1GB")
    with pytest.raises(UsageError, match="--mode stream"):
        plan([RUN], mode="staged", disk_limit="1kB")
    assert plan([RUN], mode="stream", disk_limit="1kB")
    with pytest.raises(UsageError, match="--keep-fastq"):
        plan([RUN], scratch="host", keep_fastq=True)


def test_a_stream_holds_the_index_in_memory_and_no_slot_of_a_quantification(plan, generated):
    nbytes = (generated / "t.idx").stat().st_size
    for mode, memory in (("stream", nbytes), ("staged", None)):
        first, *_, last = rnaseq.stages(plan([RUN], mode=mode))
        assert (first.memory, last.memory) == (memory, None)
        assert (dict(first.uses), dict(last.uses)) == ({"net": 1, "net.ena": 1}, {"quant": 1})


def test_a_lease_shrinks_to_what_lies_there(plan, run, archive, make_sra, generated):
    pair = [generated / "reads" / f"{RUN}_{end}.fastq.gz" for end in (1, 2)]
    sra = make_sra(RUN, archive.folder, *pair)
    made = plan([RUN], sources=["sra"], disk_limit=40 * sra.stat().st_size)
    assert run(made).complete
    (unit,) = made
    receipts = [
        json.loads(p.read_bytes().splitlines()[0])
        for p in (made.settings.folder / "parts").rglob("*.json")
    ]
    held = [receipt["holds"]["disk"] for receipt in receipts if "holds" in receipt]
    assert held
    assert 0 < max(held) < unit.footprint["disk"] / 2


def test_another_way_of_fetching_keeps_what_is_done(plan, run, runs, tmp_path):
    out = tmp_path / "w"
    with dask.config.set({"polytene.host-scratch": str(tmp_path / "disk")}):
        assert run(plan(runs[:2], out=out, mode="stream")).computed == 2
        outcome = run(plan(runs[:3], out=out, mode="staged", scratch="host"))
        assert (outcome.computed, outcome.resumed) == (1, 2)
        outcome = run(plan(runs[:4], out=out, mode="staged", disk_limit="1MB"))
        assert (outcome.computed, outcome.resumed) == (1, 3)


def test_reads_lie_on_the_hosts_own_disks_within_a_quota_each(plan, runs, archive, truth, tmp_path):
    archive.rate = 60_000
    sizes = {u.key: u.staged_bytes for u in plan(runs, mode="staged")}
    limit = 2.5 * max(sizes.values())
    options = {"mode": "staged", "scratch": "host", "downloads": 6}
    made = plan(runs, disk_limit=limit, **options)
    seen, most, over = set(), dict.fromkeys(HOSTS, 0.0), threading.Event()
    four = ["--nthreads", "4", "--memory-limit", "600MB"]
    with cluster(tmp_path, dict.fromkeys(HOSTS, four)) as workers:

        def lying(host):
            return {p.parent.name for p in workers.disk(host).rglob("*.fastq.gz*")}

        def watch():
            while not over.wait(0.01):
                for host in HOSTS:
                    found = lying(host)
                    seen.update((host, name) for name in found)
                    at_once = found & lying(host)  # a listing takes time: two are of one moment
                    most[host] = max(most[host], sum(sizes[name] for name in at_once))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            assert rnaseq.run(made, client=workers.client).complete
        finally:
            over.set()
            watcher.join()
        assert workers.files() == []
    assert {host for host, _ in seen} == set(HOSTS)
    assert len(seen) == len(runs), "each run lay on one host"
    assert 0 < max(most.values()) <= limit
    assert not (made.settings.folder / "fastq").exists()
    for name in runs:
        assert (made.settings.result_of(name) / "abundance.tsv").read_bytes() == truth(name)
