"""What differs between the plan that a run directory holds and the one asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polytene.core.canonical import Json
from polytene.core.plan import Plan
from polytene.core.saved import SavedPlan, blocks, fields_of, line_of, load, save, tag_of
from polytene.core.stage import Leg
from polytene.exceptions import DamagedRun, PlanChanged, UsageError

logger = logging.getLogger(__name__)

ON_CHANGE = ("fail", "rerun")


@dataclass
class Change:
    """Differences, each as a line that people read."""

    lines: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def needs_choice(self) -> bool:
        """Whether finished work would be thrown away."""
        return bool(self.lines or self.changed)

    def table(self, noun: str) -> str:
        """Return the differences as text."""
        rows = list(self.lines)
        for word in ("changed", "added", "removed"):
            if keys := getattr(self, word):
                more = f" and {len(keys) - 3:,} more" if len(keys) > 3 else ""
                rows.append(f"{noun} {word}: {', '.join(keys[:3])}{more}")
        return "\n".join(f"  {row}" for row in rows)


def stages_of(chain: list[Leg]) -> Json:
    """Return what the saved plan remembers of the stages."""
    return [stage.meaning for leg in chain for stage in leg.stages]


def adopt_plan(
    plan: Plan[Any], chain: list[Leg], folder: Path, on_change: str
) -> tuple[SavedPlan[Any], Change]:
    """Save the plan in its run directory, or find that it is the one that is there.

    Raises
    ------
    PlanChanged
        If finished work would no longer count, and ``on_change`` is ``"fail"``.
    """
    if on_change not in ON_CHANGE:
        raise UsageError(f"on_change is {on_change!r}: one of {', '.join(ON_CHANGE)}")
    stages = stages_of(chain)
    extra = {"stages": stages, "legs": [leg.fingerprint for leg in chain]}
    old = _old(folder, plan)
    if old is None:
        return save(plan, folder, extra), Change()
    same = old.fingerprint == plan.fingerprint and old.head.get("legs") == extra["legs"]
    if same and old.head["final"] == plan.final:
        return old, Change()
    change = compare(old, plan, stages)
    if change.needs_choice and on_change == "fail" and _has_work(folder):
        raise PlanChanged(
            f"{folder} holds a run of something else:\n{change.table(plan.noun)}\n"
            "Nothing was started. Compute what changed: the same command with --on-change rerun; "
            "keep both: another --run-dir; throw the old run away: --fresh"
        )
    return save(plan, folder, extra), change


def _old(folder: Path, plan: Plan[Any]) -> SavedPlan[Any] | None:
    """Return the plan that is there, if it is and its files are whole."""
    if not (folder / "plan.json").exists():
        return None
    kind = next((type(u) for u in plan), None)
    try:
        old = load(folder, kind)
        old.check_lines()
    except DamagedRun as error:
        logger.warning("%s; the plan is written again", error)
        return None
    return old


def _has_work(folder: Path) -> bool:
    return any((folder / "parts").glob("*/*/*.json"))


def compare(old: SavedPlan[Any], plan: Plan[Any], stages: Json) -> Change:
    """List what differs; only blocks that are not in both plans are opened."""
    change = Change()
    head = {"kind": plan.kind, "params": plan.params, "block": plan.block}
    _differences(change.lines, "", {k: old.head[k] for k in head}, head)
    _stages(change.lines, old.head.get("stages", stages), stages)
    tags = {int(t) for t in old.index["tag"]}
    new_units: dict[str, Json] = {}
    for chunk in blocks(plan):
        tag = tag_of(line_of(chunk))
        if tag in tags:
            tags.discard(tag)
        else:
            new_units |= {u.key: fields_of(u) for u in chunk}
    _units(change, old, tags, new_units)
    return change


def _units(change: Change, old: SavedPlan[Any], tags: set[int], new_units: dict[str, Json]) -> None:
    for block, tag in enumerate(old.index["tag"]):
        if int(tag) not in tags:
            continue
        for unit in old.fields(block):
            new = new_units.pop(unit["key"], None)
            if new is None:
                change.removed.append(unit["key"])
            elif new != unit:
                change.changed.append(unit["key"])
    change.added += new_units


def _stages(lines: list[str], old: Json, new: Json) -> None:
    was, now = ({s[0]: {"version": s[1], "args": s[2], **s[3]} for s in x} for x in (old, new))
    for name in [*was, *(n for n in now if n not in was)]:
        if name not in now:
            lines.append(f"stage {name}: no longer there")
        elif name not in was:
            lines.append(f"stage {name}: new")
        else:
            _differences(lines, f"stage {name} ", was[name], now[name])


def _differences(lines: list[str], where: str, old: dict[str, Json], new: dict[str, Json]) -> None:
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            _differences(lines, where, a, b)
        else:
            lines.append(f"{where}{name}: {a} -> {b}")
