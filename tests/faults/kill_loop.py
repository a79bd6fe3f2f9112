"""Kill processes of a run at random instants, and hold the run to its word.

``python tests/faults/kill_loop.py --kills 200 --seed 1``; the same seed draws the same victims and
waits. Exit code 0 and a line of JSON, or what was broken, with the seed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from polytene.core import parts
from polytene.core.parts import DamagedPart
from polytene.watch.status import verify

SUBJECT = Path(__file__).with_name("two_legs.py")
TOKEN = "POLYTENE_FAULTS_RUN"
WEIGHTS = {"driver": 3, "worker": 2, "sandbox": 2, "tool": 3}
UNITS, MOST_UNITS, LEGS, WORKERS = 48, 8, 2, 2
TRIES = 2
END_SECONDS = 15.0
RUN_SECONDS = 90.0


class Broken(AssertionError):
    """The run has not kept a promise."""


class Run:
    """A driver process and whatever it starts, known by a word in their environment."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.token = f"{folder.name}-{time.monotonic_ns()}"
        self.errors = folder.with_name(f"{folder.name}.err")
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(SUBJECT), str(folder), *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, TOKEN: self.token},
                start_new_session=True,
                text=True,
            )
        self.hurt: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()

    def tell(self, what: str) -> None:
        """Add a timed line to what the driver says, to be read after a failure."""
        with open(self.errors, "a") as out:
            print(time.strftime("%H:%M:%S"), what, file=out)

    def traces(self) -> str:
        """Return what the driver said last, and where it and its workers are now."""
        for process in [
            p for r, ps in self.living().items() if r in ("driver", "worker") for p in ps
        ]:
            process.send_signal(signal.SIGUSR2)
        time.sleep(1.0)
        return self.errors.read_text()[-12_000:]

    def living(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of this run by their role."""
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get(TOKEN) == self.token:
                    found.setdefault(self._role(process), []).append(process)
            except psutil.Error:
                continue
        return found

    def _role(self, process: psutil.Process) -> str:
        command = " ".join(process.cmdline())
        if process.pid == self.process.pid:
            return "driver"
        if "spawn_main" in command:
            return "worker"
        if "sandbox_child" in command:
            return "sandbox"
        return "helper" if "resource_tracker" in command else "tool"

    def kill_one(self, rng: random.Random) -> str | None:
        """Kill a process of a random role; return the role, if there is one to kill."""
        living = self.living()
        roles = [role for role in WEIGHTS if living.get(role)]
        if not roles or "driver" not in roles:
            return None
        role = rng.choices(roles, [WEIGHTS[r] for r in roles])[0]
        victim = rng.choice(sorted(living[role], key=lambda p: p.pid))
        try:
            below = victim.children(recursive=True) if role in ("worker", "sandbox") else []
            unit = unit_of(victim, below) if role in ("tool", "sandbox") else ""
            victim.kill()
        except psutil.NoSuchProcess:
            return None
        self.hurt[role] += 1
        self.hit[unit] += 1
        self.tell(f"killed {role} {victim.pid} {unit}")
        if role != "driver":
            until(lambda: not any(map(runs, below)), f"what the {role} had started ended with it")
        return role

    def end(self) -> list[Any] | None:
        """Wait for the driver; return what it said if it came to its end."""
        said, _ = self.process.communicate(timeout=RUN_SECONDS)
        until(lambda: not self.living(), "no process outlived its run")
        if self.process.returncode in (0, -9):
            return json.loads(said) if said else None
        raise Broken(f"exit {self.process.returncode}: {self.errors.read_text()[-3000:]}")


def unit_of(victim: psutil.Process, below: list[psutil.Process]) -> str:
    """Return the key of the unit that a tool or sandbox worked on, or "?"."""
    for process in [victim, *below, *victim.parents()]:
        try:
            if (key := process.cmdline()[-2]).startswith("u"):
                return key
        except (psutil.Error, IndexError):
            continue
    return "?"


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def until(condition: Any, promise: str) -> None:
    """Wait for a fact, not for a time."""
    limit = time.monotonic() + END_SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise Broken(f"after {END_SECONDS:g} s it is not so that {promise}")
        time.sleep(0.02)


def check_visible(folder: Path) -> None:
    """Read every byte that can be seen; what a living driver replaces meanwhile is not torn."""
    for path in [*folder.glob("parts/*/*/*.json"), *folder.glob("nodes/*/*/*.json")]:
        name = str(path.relative_to(folder).with_suffix(""))
        try:
            wrong = parts.damage(folder, parts.read_receipt(folder, name)[0])
        except DamagedPart as error:
            wrong = str(error)
        if wrong and path.exists():
            raise Broken(f"a torn part can be seen: {wrong}")


class Loop:
    """Runs of the same command, disturbed until the kills are spent."""

    def __init__(self, home: Path, kills: int, seed: int) -> None:
        self.home, self.left, self.rng = home, kills, random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.rounds = self.commands = self.again = self.twice = 0
        plain = home / "undisturbed"
        said = Run(plain, "1").end()
        if said != [UNITS, UNITS, 0, []]:
            raise Broken(f"an undisturbed run said {said}")
        self.result = (plain / "result").read_bytes()

    def go(self) -> dict[str, Any]:
        """Spend all kills, each round on a new run directory; return what was counted."""
        begin = time.monotonic()
        while self.left:
            self.rounds += 1
            self.round(self.home / f"run{self.rounds}")
        return {
            "kills": dict(sorted(self.kills.items())),
            "rounds": self.rounds,
            "commands": self.commands,
            "executed_again": self.again,
            "units_hit_twice": self.twice,
            "seconds": round(time.monotonic() - begin, 1),
        }

    def round(self, folder: Path) -> None:
        """Give one command again and again until its run is done."""
        hurt: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        said = None
        options: tuple[str, ...] = ()
        while said is None or said[3]:
            self.commands += 1
            run = Run(folder, str(WORKERS), *options)
            try:
                self.disturb(run, folder)
                said = run.end()
            except (Broken, subprocess.TimeoutExpired) as broken:
                raise Broken(f"{broken}\n{run.traces()}") from None
            finally:
                run.process.kill()
                run.process.wait()
            hurt += run.hurt
            hits |= run.hit
            check_visible(folder)
            options = self.excuse(said, hits)
        self.settle(folder, said, hurt)

    def disturb(self, run: Run, folder: Path) -> None:
        """Kill at random instants until the driver is dead or done."""
        while self.left and run.process.poll() is None:
            self.wait(run)
            role = run.kill_one(self.rng)
            if role is None:
                continue
            self.left -= 1
            self.kills[role] += 1
            check_visible(folder)
            if role == "driver":
                return

    def wait(self, run: Run) -> None:
        """Let the run go on for a while; a start of Python takes longer than a unit."""
        some = self.rng.choice([0.05, 0.5, 1.0, 3.0]) * self.rng.random()
        if not run.hurt and self.rng.random() < 0.8:
            limit = time.monotonic() + RUN_SECONDS
            while run.process.poll() is None and not run.living().get("tool"):
                if time.monotonic() > limit:
                    raise Broken("a run has not come to its work")
                time.sleep(0.05)
        time.sleep(some)

    def excuse(self, said: list[Any] | None, hits: Counter[str]) -> tuple[str, ...]:
        """Accept in quarantine only units that one driver saw fail as often as it may try them.

        A driver tries a unit again once when its tool or its sandbox has died.
        """
        if said is None or not said[3]:
            return ()
        unknown = hits["?"]
        for key, stage, category, reason, detail in said[3]:
            if (category, reason) not in (("tool", "died"), ("tool", "ToolFailed")):
                raise Broken(f"{key} is blamed: {stage}, {category}, {reason}, {detail}")
            unknown -= max(0, TRIES - hits[key])
        if unknown < 0:
            raise Broken(f"blamed for less than {TRIES} hits each ({dict(hits)}): {said[3]}")
        self.twice += len(said[3])
        return ("retry",)

    def settle(self, folder: Path, said: list[Any], hurt: Counter[str]) -> None:
        """Compare the end of a round with the undisturbed run."""
        planned, computed, resumed, bad = said
        if planned != computed + resumed + len(bad) or planned != UNITS:
            raise Broken(f"the accounts of {folder.name} do not add up: {said}")
        if (folder / "result").read_bytes() != self.result:
            raise Broken(f"the result of {folder.name} differs from the undisturbed one")
        if problems := verify(folder, deep=True)[1]:
            raise Broken(f"{folder.name}: {problems}")
        ran = Counter(Path(f"{folder}.log").read_text().split())
        flew = MOST_UNITS * (hurt["worker"] + WORKERS * hurt["driver"])
        retried = hurt["tool"] + hurt["sandbox"]
        if len(ran) != LEGS * UNITS or ran.total() > LEGS * UNITS + flew + retried:
            raise Broken(f"{folder.name}: {ran.total()} executions after {dict(hurt)}")
        self.again += ran.total() - LEGS * UNITS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="Leave the run directories here.")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="polytene-kills-") as temporary:
        home = asked.keep or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        try:
            counted = Loop(home, asked.kills, seed).go()
        except (Broken, subprocess.TimeoutExpired) as broken:
            print(f"seed {seed}: {broken}", file=sys.stderr)
            return 1
    print(json.dumps({"seed": seed, **counted}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
