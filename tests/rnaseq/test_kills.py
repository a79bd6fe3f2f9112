"""Whatever is killed, the same command again gives the same matrix, and fetches nothing twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.rnaseq.conftest import READS, until

from polytene import rnaseq
from polytene.testing import Archive, write_reads

TOKEN = "POLYTENE_TEST_RUN"
SAMPLES = 20
COMMAND = """
import sys
from polytene import cluster, rnaseq
from polytene.formats.remote import Patience
if __name__ == "__main__":
    index, out, url, mode, *runs = sys.argv[1:]
    patience = Patience(tries=4, idle=20.0, wait=0.02)
    made = rnaseq.plan(runs, index=index, out=out, ena_url=url, mode=mode, patience=patience)
    with cluster("local", workers=2, threads=4, memory_limit="1GB", dashboard_port=0) as client:
        rnaseq.run(made, client=client)
        rnaseq.merge(out, client=client)
"""


@dataclass
class Life:
    """One driver with its workers and their tools: every process that has its token."""

    command: list[str]
    log: Path
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __enter__(self) -> Life:
        self.out = open(self.log, "ab")
        env = {**os.environ, TOKEN: self.token}
        self.driver = subprocess.Popen(
            self.command, env=env, stdout=self.out, stderr=self.out, start_new_session=True
        )
        return self

    def __exit__(self, *error: object) -> None:
        self.kill("driver")
        self.out.close()
        until(lambda: not self.living(), "no process outlives its driver")

    def living(self, role: str | None = None) -> list[psutil.Process]:
        """Return the processes of this life that play a role: worker, tool, or any."""
        return [p for p in psutil.process_iter() if self._is_mine(p, role)]

    def _is_mine(self, process: psutil.Process, role: str | None) -> bool:
        try:
            if process.environ().get(TOKEN) != self.token:
                return False
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = process.cmdline()
        except psutil.Error:
            return False
        if role == "tool":
            return bool(words) and words[0].endswith("kallisto") and "quant" in words
        return role is None or (role == "worker" and "spawn_main" in " ".join(words))

    def kill(self, role: str, chance: random.Random | None = None) -> bool:
        """Kill the driver, or one that plays the role; return whether there was one."""
        if role == "driver":
            self.driver.kill()
            self.driver.wait()
            return True
        found = self.living(role)
        if not found:
            return False
        try:
            (chance or random).choice(found).kill()
        except psutil.NoSuchProcess:
            return False
        return True


def verified(work: Path) -> set[str]:
    """Return what is proven to be whole: files of reads, and runs that have a result."""
    files = {p.name for p in (work / "fastq").glob("*/*.fastq.gz")}
    return files | {p.parent.name for p in (work / "quant").glob("[SED]RR*/done.json")}


def matrix(folder: Path) -> dict[str, bytes]:
    names = [*(folder / "merged").glob("*"), *(folder / "merge").rglob("*")]
    names += (folder / "merged" / "expression.zarr").rglob("*")
    files = [p for p in names if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def many(generated, tmp_path_factory) -> tuple[Path, list[str]]:
    """The reads of twenty runs."""
    folder = tmp_path_factory.mktemp("many")
    return folder, write_reads(folder, generated / "t.fa", runs=SAMPLES, reads=READS)


@pytest.fixture(scope="module")
def undisturbed(many, generated, here, tmp_path_factory) -> dict[str, bytes]:
    """The matrix of a run that nobody kills."""
    folder, runs = many
    out = tmp_path_factory.mktemp("undisturbed")
    with Archive(folder, dict.fromkeys(runs, READS)) as archive:
        made = rnaseq.plan(runs, index=generated / "t.idx", out=out, ena_url=archive.url)
        rnaseq.run(made, client=here)
    rnaseq.merge(out, client=here)
    return {k: v for k, v in matrix(out).items() if not k.endswith("metadata.tsv")}


KILLS = {
    "staged": ["tool", "worker", "driver", "worker", "driver"],
    "stream": ["worker", "tool", "driver"],
}


@pytest.mark.parametrize("mode", ["staged", "stream"])
def test_killed_at_random_the_matrix_is_the_same_and_nothing_verified_comes_twice(
    many, generated, undisturbed, tmp_path, mode
):
    folder, runs = many
    work, script, log = tmp_path / "work", tmp_path / "command.py", tmp_path / "said.txt"
    script.write_text(COMMAND)
    chance, kills = random.Random(mode), list(KILLS[mode])
    known: list[tuple[set[str], int]] = []
    with Archive(folder, dict.fromkeys(runs, READS), rate=30_000) as archive:
        command = [sys.executable, str(script), str(generated / "t.idx"), str(work), archive.url]
        command += [mode, *runs]
        while kills:
            with Life(command, log) as life:
                while kills and life.driver.poll() is None:
                    more = len(verified(work)) + chance.randint(1, 3)
                    until(
                        lambda n=more: len(verified(work)) >= n or life.driver.poll() is not None,
                        "the run goes on",
                    )
                    role = kills[0]
                    until(
                        lambda r=role: life.kill(r, chance) or life.driver.poll() is not None,
                        f"there is a {role} to kill",
                    )
                    done = verified(work)
                    known.append((done, len(archive.requests)))
                    kills.pop(0)
                    if role == "driver":
                        break
                else:
                    break  # it came to its end all the same
        archive.rate = 0.0
        last = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert last.returncode == 0, last.stderr + log.read_text()[-3000:]
        for done, at in known:
            again = {name for name, _ in archive.requests[at:]}
            again |= {name.split("_")[0] for name in again}
            assert not done & again
    assert len(known) >= 2, "it was over before anything was killed"
    assert max(len(done) for done, _ in known) >= 3
    found = matrix(work)
    assert {k: found[k] for k in undisturbed} == undisturbed
    assert not list((work / "fastq").rglob("*.fastq.gz"))
    assert not list((work / "drafts").glob("*"))
