"""Files over HTTP: resumed by Range, checked on the fly, given up only after many tries.

Retries are counted here and not by a library: what counts is tries since the last new byte, and a
stream is consumed while it is healed. Retry libraries count calls of a function.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from polytene.formats.remote import (
    NOT_RETRIED,
    USER_AGENT,
    DownloadFailed,
    NotThere,
    Patience,
    Remote,
    Unlike,
    retry_after,
)

CONNECT_SECONDS = 30.0


class Download:
    """One file, as a stream of chunks that goes on where a connection broke.

    Parameters
    ----------
    remote
        The file.
    patience
        How long to wait for its server.
    start
        First byte that is wanted; those before it were given to ``hasher`` already.
    hasher
        An MD5 that has seen the bytes before ``start``.

    Examples
    --------
    >>> from polytene.formats.downloads import Download, Remote
    >>> Download(Remote("http://127.0.0.1/reads.fastq.gz", 10)).got
    0
    """

    def __init__(
        self,
        remote: Remote,
        patience: Patience | None = None,
        start: int = 0,
        hasher: hashlib._Hash | None = None,
    ) -> None:
        self.remote, self.patience = remote, patience or Patience()
        self.got, self.resumes = start, 0
        self._md5 = hasher or hashlib.md5(usedforsecurity=False)
        self._etag: str | None = None
        self._total = remote.nbytes
        self._deadline = time.monotonic() + (self.patience.total or float("inf"))

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from ``start`` on; the end means that all came and are as announced.

        Raises
        ------
        NotThere
            If the server says so.
        Unlike
            If size, checksum or type are not those announced.
        DownloadFailed
            If the server gave no new byte in several tries, or it took too long.
        """
        tried, before = 0, self.got
        with httpx.Client(
            timeout=httpx.Timeout(self.patience.idle, connect=CONNECT_SECONDS),
            follow_redirects=True,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        ) as client:
            while self._total is None or self.got < self._total:
                try:
                    yield from self._connection(client)
                    break
                except (httpx.TransportError, httpx.StreamError, DownloadFailed) as error:
                    if isinstance(error, NotThere | Unlike):
                        raise
                    tried = 1 if self.got > before else tried + 1
                    before = self.got
                    self._wait(tried, error)
        self._check()

    def _connection(self, client: httpx.Client) -> Iterator[bytes]:
        headers = {"Range": f"bytes={self.got}-"} if self.got else {}
        if self.got and self._etag:
            headers["If-Range"] = self._etag
        with client.stream("GET", self.remote.url, headers=headers) as response:
            skip = self._accept(response)
            for chunk in response.iter_raw():
                if time.monotonic() > self._deadline:
                    raise self._failed("too-slow", f"not done in {self.patience.total:g} s")
                if skip:
                    chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                if chunk:
                    self._md5.update(chunk)
                    self.got += len(chunk)
                    yield chunk
        if self._total is not None and self.got < self._total:
            raise self._failed("cut-short", f"{self.got:,} of {self._total:,} bytes came")

    def _accept(self, response: httpx.Response) -> int:
        """Check the head of an answer; return how many of its bytes came already."""
        code = response.status_code
        if code in NOT_RETRIED:
            raise NotThere("not-found", f"{self.remote.url}: the server says {code}")
        if code == 416 and self._total is None:
            return 0
        if code not in (200, 206):
            detail = f"{self.remote.url}: the server says {code}"
            raise DownloadFailed("server-busy", detail, retry_after(response))
        if response.headers.get("content-type", "").startswith("text/html"):
            raise self._failed("web-page", "a web page came instead of the file: a proxy or portal")
        etag = response.headers.get("etag")
        if self._etag and etag and etag != self._etag:
            raise self._unlike("changed", "the file changed at the server while it was read")
        self._etag = etag or self._etag
        offset, total = _range_of(response)
        if self.remote.nbytes is not None and total not in (None, self.remote.nbytes):
            raise self._unlike("wrong-size", f"{total:,} bytes, expected {self.remote.nbytes:,}")
        if self._total is None:
            self._total = total
        if offset > self.got:
            raise self._unlike("wrong-range", f"begins at byte {offset:,}, not {self.got:,}")
        return self.got - offset

    def _wait(self, tried: int, error: Exception) -> None:
        if tried >= self.patience.tries or time.monotonic() > self._deadline:
            if isinstance(error, DownloadFailed):
                raise error
            word = "stalled" if isinstance(error, httpx.TimeoutException) else "connection-lost"
            detail = f"{type(error).__name__} after {self.got:,} bytes, {tried} tries"
            raise self._failed(word, detail) from None
        self.resumes += 1
        self.patience.rest(tried, error)

    def _check(self) -> None:
        if self._total is not None and self.got != self._total:
            raise self._unlike("wrong-size", f"{self.got:,} bytes, expected {self._total:,}")
        if self.remote.md5 and self.md5 != self.remote.md5:
            raise self._unlike("wrong-checksum", f"MD5 {self.md5}, expected {self.remote.md5}")

    @property
    def md5(self) -> str:
        """MD5 of all bytes up to now."""
        return self._md5.hexdigest()

    def _failed(self, reason: str, detail: str) -> DownloadFailed:
        return DownloadFailed(reason, f"{self.remote.url}: {detail}")

    def _unlike(self, reason: str, detail: str) -> Unlike:
        return Unlike(reason, f"{self.remote.url}: {detail}")


def _range_of(response: httpx.Response) -> tuple[int, int | None]:
    """Return the first byte that an answer holds, and the size of the whole file if it says."""
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
        if not found:
            raise Unlike("wrong-range", f"{response.url}: 206 without a Content-Range")
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("content-length")
    return 0, int(length) if length else None


def download(
    remote: Remote,
    path: Path,
    patience: Patience | None = None,
    *,
    on_bytes: Callable[[int], None] = lambda n: None,
) -> Download:
    """Download to ``path``, whole or not at all.

    A ``.part`` of an earlier try is gone on with if an MD5 will tell whether it still belongs to
    the file.

    Returns
    -------
    Download
        With the number of bytes, resumes and the MD5.

    Raises
    ------
    NotThere, Unlike, DownloadFailed
        As for :meth:`Download.chunks`. What is unlike is removed; other parts stay.
    """
    part = path.with_name(path.name + ".part")
    hasher = hashlib.md5(usedforsecurity=False)
    if not remote.md5 or (remote.nbytes is not None and _size(part) > remote.nbytes):
        part.unlink(missing_ok=True)
    start = _rehash(part, hasher) if part.exists() else 0
    run = Download(remote, patience, start, hasher)
    try:
        with open(part, "ab") as out:
            for chunk in run.chunks():
                out.write(chunk)
                on_bytes(len(chunk))
    except Unlike:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
    return run


def is_whole(path: Path, remote: Remote) -> bool:
    """Whether a file is there whole: only a checksum can tell."""
    if not remote.md5 or not path.is_file():
        return False
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "md5").hexdigest() == remote.md5


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _rehash(path: Path, hasher: hashlib._Hash) -> int:
    with open(path, "rb") as source:
        while block := source.read(1 << 20):
            hasher.update(block)
        return source.tell()
