"""``command.json``: the command that a run directory was last worked on with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.core.saved import read_head
from polytene.exceptions import UsageError

NAME = "command.json"
ARGV = "polytene.argv"
PROGRAM = "polytene"
ONCE = ("--fresh",)


@dataclass(frozen=True)
class Recorded:
    """A command as it was given.

    Parameters
    ----------
    argv
        The arguments after the program's name.
    cwd
        The folder it was given in.
    run_dir
        The run directory, absolute.
    fingerprint
        That of the plan it made; a plan with another one came from elsewhere.
    """

    argv: tuple[str, ...]
    cwd: str
    run_dir: str
    fingerprint: str

    def again(self, *options: str) -> list[str]:
        """Return the arguments with more options, and without those that start anew."""
        end = self.argv.index("--") if "--" in self.argv else len(self.argv)
        kept = [word for word in self.argv[:end] if word not in ONCE]
        return [*kept, *options, *self.argv[end:]]

    def line(self, *options: str) -> str:
        """Return a line for a shell in the current folder."""
        text = shlex.join([PROGRAM, *self.again(*options)])
        here = Path(self.cwd) == Path.cwd()
        return text if here else f"cd {shlex.quote(self.cwd)} && {text}"


def record(root: Path, argv: Sequence[str], cwd: Path) -> None:
    """Write down the command that works on a run directory, whole or not at all."""
    mark = read_head(root)["fingerprint"]
    about = asdict(Recorded(tuple(argv), str(cwd), str(root.absolute()), mark))
    write_bytes(root / NAME, json.dumps(about, indent=1).encode() + b"\n")


def recorded(root: Path) -> Recorded | None:
    """Return the command that made the plan of a run directory; None if none did.

    Raises
    ------
    UsageError
        If the folder is not a run directory.
    """
    mark = read_head(root)["fingerprint"]
    try:
        about = json.loads((root / NAME).read_bytes())
        found = Recorded(**{**about, "argv": tuple(about["argv"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if found.fingerprint == mark else None


def command_of(root: Path) -> Recorded:
    """Return the command that made the plan of a run directory.

    Raises
    ------
    UsageError
        If the run was made by a script, or was moved since.
    """
    found = recorded(root)
    if found is None:
        raise UsageError(
            f"{root} was not made by a polytene command: in the script that made it, give "
            "run(..., retry_quarantined=True)"
        )
    if Path(found.run_dir).resolve() != root.resolve():
        raise UsageError(
            f"{root} was at {found.run_dir} when its command was given: give the command yourself, "
            f"with the new paths and --retry-quarantined: {found.line()}"
        )
    return found


def reproduce_line(command: Recorded | None, key: str) -> str:
    """Return what to paste so that one unit is tried alone: a command, or Python for a script."""
    if command is None:
        return f"run(plan.subset([{key!r}]), stages, reduction, run_dir=tempfile.mkdtemp())"
    return command.line("--only", key)
