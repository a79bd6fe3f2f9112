"""Values in shell commands: where a command has them in quotes, and how they are made safe."""

from __future__ import annotations

import re
import shlex
from functools import lru_cache

from polytene.exceptions import UsageError
from polytene.formats.text import printable

_SAFE = re.compile(r"[A-Za-z0-9@%+=:,./_-]+").fullmatch
_READS_AGAIN = re.compile(r"\b(?:eval|ssh|parallel)\s|\b(?:ba|da|k|z)?sh\s+(?:-\w+\s+)*-\w*c\b")
_DOUBTFUL = re.compile(r"\$'|\besac\b")  # read in one way by bash and in another by sh, or by us
_WORDS = {"#": "a comment", "`": "backticks", "${": "${...}", "\\": "an escape"}
_WORD_ENDS = frozenset(" \t\n;|&()<>")


@lru_cache(maxsize=64)
def quoting(command: str) -> tuple[str, ...]:
    r"""Return, for each character of a command, in what it stands.

    ``""`` where the shell reads words; else the innermost of ``'``, ``"``, `````, ``${``, ``#``
    (a comment) and a backslash. Anything inside backticks counts as inside backticks.

    Examples
    --------
    >>> quoting("a 'b' \"c$(d)\"")[1::2]
    ('', "'", '', '"', '', '"')
    """
    stack: list[str] = []
    states = []
    i = 0
    while i < len(command):
        step = _step(command, i, stack)
        state = "`" if "`" in stack else (stack[-1] if stack else "")
        found = ["" if state == "(" else state] * step
        if command[i] == "\\" and step == 2 and not found[1]:
            found[1] = "\\"
        states += found
        i += step
    return tuple(states[: len(command)])


def _step(command: str, i: int, stack: list[str]) -> int:
    """Update the stack of what is open with the character at ``i``; return how many it took."""
    char, top = command[i], stack[-1] if stack else ""
    if top == "#":
        if char == "\n":
            stack.pop()
        return 1
    if top == "'":
        if char == "'":
            stack.pop()
        return 1
    if char == "\\":
        return 2
    if command[i : i + 2] in ("$(", "${"):
        stack.append("(" if command[i + 1] == "(" else "${")
        return 2
    if (top, char) in (("`", "`"), ('"', '"'), ("(", ")"), ("${", "}")):
        stack.pop()
    elif char == "`":
        stack.append("`")
    elif char == '"' and top != '"':
        stack.append('"')
    elif top != '"':
        _open_word(command, i, stack)
    return 1


def _open_word(command: str, i: int, stack: list[str]) -> None:
    """Open what only opens where the shell reads words."""
    char, before = command[i], command[i - 1] if i else " "
    top = stack[-1] if stack else ""
    if char == "'":
        stack.append("'")
    elif char == "(" and top != "${":
        stack.append("(")
    elif char == "#" and before in _WORD_ENDS and top != "${":
        stack.append("#")


def reads_again(command: str) -> bool:
    """Whether a command may hand its words to another shell, which would read them once more."""
    return any(p.search(command) is not None for p in (_READS_AGAIN, _DOUBTFUL))


def is_plain(value: str) -> bool:
    """Whether a value means the same with and without quotes, in every shell."""
    return _SAFE(value) is not None


def check_value(name: str, value: str) -> None:
    """Refuse a value that no line of a task file can hold.

    Raises
    ------
    UsageError
        If it is empty or holds a character that cannot be seen, such as a newline.
    """
    if not value:
        raise UsageError(f"{{{name}}} is empty")
    if not value.isprintable():
        raise UsageError(
            f"{{{name}}} is {printable(value)!r}: a task is one line, and this value has a "
            "character that cannot be printed; rename the sequence"
        )


def quoted(name: str, value: str, command: str, at: int, state: str) -> str:
    """Return a value as it may stand at a place of a command.

    Parameters
    ----------
    name
        How the command calls the value.
    value
        What is put there.
    command, at, state
        The command, the place, and what :func:`quoting` says of it.

    Raises
    ------
    UsageError
        If a shell or program could take the value for something else than a word.
    """
    check_value(name, value)
    if (value.startswith("-") and not state) and (at == 0 or command[at - 1] in _WORD_ENDS):
        raise UsageError(
            f"{{{name}}} is {value!r}, which a program takes for an option: write "
            f"--option={{{name}}}"
        )
    if is_plain(value):
        return value
    if state:
        raise UsageError(
            f"{{{name}}} is {value!r} and stands inside {_in_words(state)}, where it could end "
            f"them or be run: leave them out ({{{name}}} is quoted where it needs to be), or use "
            "{bed}"
        )
    if reads_again(command):
        raise UsageError(
            f"{{{name}}} is {value!r}, and the command hands it to another shell, which could run "
            "it: call the program itself, or use {bed}"
        )
    return shlex.quote(value)


def _in_words(state: str) -> str:
    return _WORDS.get(state, f"{state} quotes")
