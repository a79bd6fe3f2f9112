"""Unit keys: unique in their plan, and safe as a file name and in a shell."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import quote

from polytene.core.canonical import digest
from polytene.exceptions import UsageError

LONGEST = 200
is_safe = re.compile(r"[A-Za-z0-9%_][A-Za-z0-9%._+=@,-]{0,199}").fullmatch


def safe_key(text: str) -> str:
    """Return a key for any text: what is unsafe is percent-encoded, what is long is cut and hashed.

    Examples
    --------
    >>> safe_key("NC_000932.1")
    'NC_000932.1'
    >>> safe_key("../a b;rm")
    '%2E.%2Fa%20b%3Brm'
    """
    key = quote(text, safe="+=@,", errors="surrogateescape").replace("~", "%7E")
    if not key:
        return "%"
    if not is_safe(key[0]):
        key = f"%{ord(key[0]):02X}{key[1:]}"
    if len(key) <= LONGEST:
        return key
    mark = digest(text.encode(errors="surrogateescape"), 8)
    return f"{key[: LONGEST - 17]}-{mark}"


def check_key(key: str) -> None:
    """Refuse a key that could escape from a folder or a quoted shell word."""
    if not is_safe(key):
        raise UsageError(
            f"unit key {key!r} is not safe as a file name: use letters, digits and . _ + = @ , - %"
            f" ({LONGEST} at most); polytene.safe_key(text) makes one"
        )


def key_hash(key: str) -> int:
    """Return 64 bits that depend on the key alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def repeated(keys: Iterable[str]) -> list[str]:
    """Return the keys that occur more than once, in order of their second occurrence."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for key in keys:
        if key in seen:
            twice[key] = None
        seen.add(key)
    return list(twice)
