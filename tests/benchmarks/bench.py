"""What the benchmarks share: interleaved timings, ratios, a table and a JSON file."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from polytene.core.versions import versions


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int = 7) -> dict[str, list[float]]:
    """Time jobs in turn, so that a drifting machine hits them alike; seconds of this process."""
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            seconds[name].append(time.process_time() - start)
    return seconds


def ratio(of: list[float], to: list[float]) -> float:
    """Return the median of the ratios, pair by pair."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


@dataclass
class Report:
    """Rows of name, figure, target and verdict, printed as they come and written at the end."""

    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, name: str, figure: float, unit: str = "x", target: str = "", ok: bool | None = None
    ) -> None:
        """Take a figure; ``ok`` says whether it reaches its target."""
        said = {True: "reached", False: "NOT REACHED", None: ""}[ok]
        self.rows.append(
            {
                "name": name,
                "figure": float(figure),
                "unit": unit,
                "target": target,
                "ok": None if ok is None else bool(ok),
            }
        )
        print(f"{name:64} {figure:>10.4g} {unit:7} {target:>12}  {said}", flush=True)

    def write(self, folder: str | Path) -> None:
        """Write JSON, and the table for the docs."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        about = {"date": date.today().isoformat(), "machine": machine(), "versions": versions()}
        name = self.title.split()[0]
        (folder / f"{name}.json").write_text(json.dumps({**about, "rows": self.rows}, indent=1))
        (folder / f"{name}.md").write_text(self._markdown(about))

    def _markdown(self, about: dict[str, Any]) -> str:
        head = f"{self.title}, measured {about['date']} on {about['machine']}.\n\n"
        table = "| figure | measured | target | |\n|---|---:|---:|---|\n"
        for row in self.rows:
            said = {True: "reached", False: "**not reached**", None: ""}[row["ok"]]
            figure = f"{row['figure']:.3g} {row['unit']}"
            table += f"| {row['name']} | {figure} | {row['target']} | {said} |\n"
        return head + table


def machine() -> str:
    """Return the processor and its cores and memory in words."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores of {name}, {memory:.0f} GiB"
