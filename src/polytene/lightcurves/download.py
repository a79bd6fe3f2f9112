"""Download one file: whole, checked, and resumed where the server lets it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from polytene.core.files import full_disk_named, write_bytes
from polytene.formats.remote import USER_AGENT, DownloadFailed, NotThere, Unlike
from polytene.lightcurves.read import FITS_BLOCK, FITS_MAGIC

_LONGEST_WAIT = 600.0
_GONE = (404, 410)
_HEX_MD5 = 32


@lru_cache(maxsize=4)
def client(timeout: float) -> httpx.Client:
    """Return this process's HTTP client; its connections are kept and shared by its threads."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
    headers = {"User-Agent": USER_AGENT}
    return httpx.Client(timeout=timeout, follow_redirects=True, limits=limits, headers=headers)


def download(
    url: str,
    target: Path,
    *,
    timeout: float,
    nbytes: int | None = None,
    md5: str | None = None,
    check: Callable[[Path, str], None] | None = None,
) -> dict[str, Any]:
    """Download a file to ``target``, whole or not at all; return its bytes and SHA-256.

    A part that an earlier attempt left is gone on with, if the server still has the same file.

    Parameters
    ----------
    url, target
        From where, and to where.
    timeout
        Seconds without a byte.
    nbytes, md5
        What the file has to be, where it is known; else what the server says.
    check
        Called with the file and its name before it is shown; raises :class:`Unlike`.

    Raises
    ------
    NotThere
        After 404 or 410.
    DownloadFailed, Unlike
        If trying again may help.
    """
    part, note = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.etag")
    try:
        etag = _receive(url, part, note, timeout, nbytes)
        digest = _checked(url, part, nbytes, md5 or _md5_of(etag), check)
    except Unlike:
        part.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        raise
    size = part.stat().st_size
    os.replace(part, target)
    note.unlink(missing_ok=True)
    return {"name": target.name, "url": url, "bytes": size, "sha256": digest}


def _receive(url: str, part: Path, note: Path, timeout: float, nbytes: int | None) -> str:
    """Bring ``part`` to its full length; return the ETag."""
    have, known = _left(part, note)
    headers = {"Range": f"bytes={have}-", "If-Range": known} if have else {}
    with _transport(url):
        with client(timeout).stream("GET", url, headers=headers) as answer:
            _check_status(url, answer)
            goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
            etag = answer.headers.get("etag", "")
            start = have if goes_on else 0
            said = answer.headers.get("content-length")
            encoded = "content-encoding" in answer.headers
            total = None if said is None or encoded else start + int(said)
            if nbytes is not None and total is not None and total != nbytes:
                raise Unlike(
                    "wrong-size", f"{url}: {total:,} bytes where {nbytes:,} were announced"
                )
            if etag and not etag.startswith("W/"):
                note.write_text(json.dumps({"etag": etag, "url": url}))
            else:
                note.unlink(missing_ok=True)
            with full_disk_named(part), open(part, "ab" if goes_on else "wb") as out:
                for chunk in answer.iter_bytes():
                    out.write(chunk)
    if total is not None and part.stat().st_size != total:
        raise DownloadFailed("cut-short", f"{url}: {part.stat().st_size:,} of {total:,} came")
    return str(etag)


def _left(part: Path, note: Path) -> tuple[int, str]:
    """Return how much an earlier attempt left, and of which version of the file."""
    try:
        etag = str(json.loads(note.read_text())["etag"])
        return part.stat().st_size, etag
    except (OSError, ValueError, KeyError):
        return 0, ""


@contextmanager
def _transport(url: str) -> Iterator[None]:
    """Turn what the network does into errors that are tried again."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise NotThere("not-found", f"{url}: {error}") from None
    except httpx.HTTPError as error:
        word = "stalled" if isinstance(error, httpx.TimeoutException) else "connection-lost"
        what = str(error) or "nothing came"
        raise DownloadFailed(word, f"{url}: {type(error).__name__}: {what}") from error


def _check_status(url: str, answer: httpx.Response) -> None:
    code = answer.status_code
    if code in (200, 206):
        return
    if code in _GONE:
        raise NotThere("not-found", f"{url}: {code} {answer.reason_phrase}")
    if code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise Unlike("wrong-range", f"{url}: {code}: what was left here is no part of it")
    said = retry_after(answer.headers.get("retry-after"))
    raise DownloadFailed("server-busy", f"{url}: {code} {answer.reason_phrase}", said)


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most ten minutes.

    Examples
    --------
    >>> retry_after("7"), retry_after("soon"), retry_after(None)
    (7.0, None, None)
    """
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            then = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (then - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), _LONGEST_WAIT)


def _md5_of(etag: str) -> str | None:
    """Return the MD5 that the ETag of an object store is, unless it was put there in pieces."""
    text = etag.strip('"').lower()
    whole = len(text) == _HEX_MD5 and all(c in "0123456789abcdef" for c in text)
    return text if whole else None


def _checked(
    url: str,
    part: Path,
    nbytes: int | None,
    md5: str | None,
    check: Callable[[Path, str], None] | None,
) -> str:
    """Return the SHA-256 of a file that is what it should be."""
    size = part.stat().st_size
    if nbytes is not None and size != nbytes:
        raise Unlike("wrong-size", f"{url}: {size:,} bytes, {nbytes:,} were announced")
    if check is not None:
        check(part, url)
    sha, other = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(part, "rb") as source:
        while block := source.read(1 << 20):
            sha.update(block)
            if md5:
                other.update(block)
    if md5 and other.hexdigest() != md5.lower():
        raise Unlike("wrong-checksum", f"{url}: MD5 {other.hexdigest()}, expected {md5}")
    return sha.hexdigest()


def check_fits(path: Path, url: str) -> None:
    """Refuse what is no FITS file of whole blocks."""
    size = path.stat().st_size
    with open(path, "rb") as source:
        head = source.read(len(FITS_MAGIC))
    if head != FITS_MAGIC:
        what = "a web page" if head.lstrip()[:1] == b"<" else f"{head!r}"
        raise Unlike("no-fits", f"{url}: begins with {what}; expected FITS")
    if size % FITS_BLOCK:
        raise Unlike("no-fits", f"{url}: {size:,} bytes are no whole number of FITS blocks")


def get_text(url: str, timeout: float, *, data: dict[str, str] | None = None) -> str:
    """Return what a service answers to a GET, or to a POST of a form; it should be there."""
    with _transport(url):
        http = client(timeout)
        answer = http.get(url) if data is None else http.post(url, data=data)
        try:
            _check_status(url, answer)
        except NotThere as error:
            raise DownloadFailed("bad-answer", f"{error.detail}; is this the service?") from None
        return answer.text


def write_note(path: Path, about: Any) -> None:
    """Write what is known of a file beside it."""
    write_bytes(path, json.dumps(about, indent=1, sort_keys=True).encode() + b"\n", sync=False)
