"""One spelling for equal values, so that equal work has equal names and equal bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of them."""


def canonical(value: Json) -> bytes:
    """Return ``value`` as ASCII JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(data: bytes, size: int = 16) -> str:
    """Return the BLAKE2b digest of ``data`` as ``2 * size`` hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def plain(value: object, name: str = "value") -> Json:
    """Return ``value`` as JSON types only; tuples become lists, numpy scalars Python ones.

    Keys are sorted, so that what is written from a value does not tell whether it was just made
    or read back from a run directory.

    Raises
    ------
    TypeError
        For anything that JSON would lose or change, with the place where it stands.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [plain(v, f"{name}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name}: key {key!r} is not a string")
        return {k: plain(v, f"{name}[{k!r}]") for k, v in sorted(value.items())}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return plain(value.item(), name)
    raise TypeError(f"{name} is a {type(value).__name__}, which JSON cannot hold")
