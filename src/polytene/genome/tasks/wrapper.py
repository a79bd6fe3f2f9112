"""A script that runs several commands for one chunk."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.genome.merging.outputs import DONE
from polytene.genome.tasks.shell import quoting, reads_again
from polytene.genome.tasks.templates import PLACEHOLDERS, placeholders

WORDS = ("CHUNK_ID", "SEQID", "BED", "OUTPUT_DIR", "REGIONS")

_WORD = re.compile(rf"\$(?:\{{({'|'.join(WORDS)})\}}|({'|'.join(WORDS)})\b)")
_OF_ONE_INTERVAL = re.compile(r"\$\{?(?:SEQID|START|END|START_0|END_0)\b")
_NAMES = re.compile(r"\b(?:SEQID|REGIONS)\b")

_SCRIPT = """\
#!/bin/bash
# Runs its commands for one chunk of a plan: bash SCRIPT CHUNK
# CHUNK is the id of a chunk such as chunk_0007, of one of its intervals such as chunk_0007.2, or
# the chunk's 0-based place in the plan, such as $SLURM_ARRAY_TASK_ID.
set -eo pipefail

TASK="${1:?give the id of a chunk}"
export CHUNK_PLAN=@PLAN@
export OUTPUT_DIR=@OUTPUT_DIR@

@SETUP@

set -u
mkdir -p "$OUTPUT_DIR"/@DONE@

# Prints a line of shell words for each part of the chunk that is run on its own.
describe() {
    python3 - "$CHUNK_PLAN" "$TASK" "$OUTPUT_DIR" <<'PYTHON'
import json, os, re, shlex, sys

BY_INTERVAL = @BY_INTERVAL@
ONLY_PLAIN = @ONLY_PLAIN@
WITH_BED = @WITH_BED@


def main(path, task, output_dir):
    with open(path, encoding="utf-8") as file:
        chunks = {c["chunk_id"]: c for c in json.load(file)["chunks"]}
    name, number = task, 0
    if task not in chunks and re.fullmatch(r".+\\.[0-9]+", task):
        name, number = task.rpartition(".")[0], int(task.rpartition(".")[2])
    elif task not in chunks and task.isdigit() and int(task) < len(chunks):
        name = list(chunks)[int(task)]
    if name not in chunks:
        sys.exit("%s: no chunk %r among %d" % (path, task, len(chunks)))
    if not re.fullmatch(r"[A-Za-z0-9%_][A-Za-z0-9%._+=@,-]*", name):
        sys.exit("chunk %r: its id is not safe as a file name" % name)
    chunk = chunks[name]
    regions = chunk.get("intervals") or [[chunk["seqid"], chunk["start"], chunk["end"]]]
    if number > len(regions):
        sys.exit("%s has %d intervals: there is no %s" % (name, len(regions), task))
    if len(regions) == 1 or not (number or BY_INTERVAL):
        return describe(name, regions, output_dir)
    for i, region in enumerate(regions, 1):
        if number in (0, i):
            describe("%s.%d" % (name, i), [region], output_dir)


def describe(name, regions, output_dir):
    for seqid, start, end in regions:
        if not seqid.isprintable() or (ONLY_PLAIN and not re.fullmatch(r"[\\w@%+=:,./-]+", seqid)):
            sys.exit("sequence %r could be run by the commands: rename it" % seqid)
    seqid, start, end = regions[0]
    words = [name, seqid, start + 1, end, start, end, sum(b - a for _, a, b in regions)]
    words.append(write_bed(name, regions, output_dir) if WITH_BED else "")
    words += ["%s:%d-%d" % (s, a + 1, b) for s, a, b in regions]
    print(" ".join(shlex.quote(str(word)) for word in words))


def write_bed(name, regions, output_dir):
    folder = os.path.join(output_dir, ".regions")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".bed")
    with open(path, "w", encoding="utf-8") as bed:
        bed.writelines("%s\\t%d\\t%d\\n" % tuple(region) for region in regions)
    return path


main(*sys.argv[1:])
PYTHON
}

run_commands() {
    export CHUNK_ID="$1" SEQID="$2" START="$3" END="$4" START_0="$5" END_0="$6" SIZE="$7" BED="$8"
    REGIONS=("${@:9}")
    rm -f "$OUTPUT_DIR"/@DONE@/"$CHUNK_ID"

@COMMANDS@

    touch "$OUTPUT_DIR"/@DONE@/"$CHUNK_ID"
}

described="$(describe)"
while IFS= read -r words <&3; do
    eval "set -- $words"
    run_commands "$@"
done 3<<< "$described"
"""


def write_wrapper(
    output_path: str | Path,
    chunk_plan_path: str | Path,
    commands: Sequence[str],
    setup_commands: Sequence[str] = (),
    output_dir: str | Path | None = None,
) -> Path:
    """Write the script; see :meth:`polytene.genome.TaskGenerator.generate_wrapper_script`.

    The script needs bash and any Python 3, and not this package.

    Raises
    ------
    UsageError
        If there is no command, or one names a ``{placeholder}`` of task files.
    """
    if not any(c.strip() for c in commands):
        raise UsageError("the wrapper has no command")
    for command in commands:
        if wrong := sorted(placeholders(command) & set(PLACEHOLDERS)):
            raise UsageError(
                f"{{{wrong[0]}}} is not filled in where a wrapper runs the command: write "
                f"${{{wrong[0].upper()}}}"
            )
    quoted = [_quote_variables(c) for c in commands]
    whole = "\n".join(commands)
    where = "${OUTPUT_DIR:-.}" if output_dir is None else shlex.quote(str(Path(output_dir)))
    script = _SCRIPT
    for name, value in {
        "PLAN": shlex.quote(str(chunk_plan_path)),
        "OUTPUT_DIR": f'"{where}"' if output_dir is None else where,
        "SETUP": "\n".join(setup_commands) or ":",
        "DONE": DONE,
        "BY_INTERVAL": str(_OF_ONE_INTERVAL.search(whole) is not None),
        "ONLY_PLAIN": str(not all(safe for _, safe in quoted)),
        "WITH_BED": str("BED" in whole),
        "COMMANDS": "\n".join(text for text, _ in quoted),
    }.items():
        script = script.replace(f"@{name}@", value)
    path = Path(output_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, script.encode())
    path.chmod(0o755)
    return path


def _quote_variables(command: str) -> tuple[str, bool]:
    """Put quotes around our variables; say whether any sequence's name is then safe in them."""
    if "<<" in command:  # a here-document, where quotes are text
        return command, not _NAMES.search(command)
    states = quoting(command)
    handled = 0
    safe = not reads_again(command)

    def quote(match: re.Match[str]) -> str:
        nonlocal handled, safe
        name, at = match[1] or match[2], match.start()
        state = "\\" if states[at] == "\\" else states[at - 1] if at else ""
        handled += bool(_NAMES.fullmatch(name))
        if state == '"':
            return "${REGIONS[*]}" if name == "REGIONS" else f"${{{name}}}"
        if state:
            safe = safe and state in ("'", "#")
            return match[0]
        return '"${REGIONS[@]}"' if name == "REGIONS" else f'"${{{name}}}"'

    text = _WORD.sub(quote, command)
    return text, safe and handled == len(_NAMES.findall(command))
