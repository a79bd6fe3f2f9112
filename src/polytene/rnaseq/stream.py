"""Reads straight from the server into the quantifier: no byte of FASTQ on disk."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from polytene.formats.downloads import Download
from polytene.formats.remote import Patience, Remote
from polytene.rnaseq.reads import Unpacker

AHEAD = 8  # blocks of text that may wait for the quantifier, per mate
POLL = 0.02


class Feed:
    """One remote file and the named pipe that it goes to.

    Each mate has a thread that downloads and one that writes: a single one would wait for ever,
    once the quantifier asks for the mate whose pipe is empty while the other pipe is full.
    """

    def __init__(self, remote: Remote, pipe: Path, patience: Patience) -> None:
        self.download = Download(remote, patience)
        self.pipe = pipe
        self.unpacker = Unpacker(remote.url)
        self.whole = False
        self.error: BaseException | None = None
        self._waiting: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self._over = threading.Event()
        self._first = threading.Event()
        os.mkfifo(pipe)

    def fetch(self) -> None:
        """Download, and hand on; whatever happens, the end is told."""
        try:
            for chunk in self.download.chunks():
                for text in self.unpacker.feed(chunk):
                    self._first.set()
                    if not self._put(text):
                        return
            self.unpacker.close()
            self.whole = True
        except BaseException as error:
            self.error = error
        finally:
            self._put(None)
            self._first.set()

    def _put(self, chunk: bytes | None) -> bool:
        while not self._over.is_set():
            with suppress(queue.Full):
                self._waiting.put(chunk, timeout=POLL)
                return True
        return False

    def wait_for_first(self) -> None:
        """Wait until the first byte is there, or will never be."""
        self._first.wait()

    def write(self) -> None:
        """Write to the pipe until the end, or until nobody reads it any more."""
        handle = self._open()
        if handle is None:
            return
        try:
            for chunk in self._chunks():
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
        except BrokenPipeError:
            self._over.set()  # the quantifier has ended; it says why
        finally:
            os.close(handle)

    def _chunks(self) -> Iterator[bytes]:
        while not self._over.is_set():
            with suppress(queue.Empty):
                chunk = self._waiting.get(timeout=POLL)
                if chunk is None:
                    return
                yield chunk

    def _open(self) -> int | None:
        """Open the pipe once the quantifier reads it; None if it never will."""
        while not self._over.is_set():
            with suppress(OSError):
                handle = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(handle, True)
                return handle
            time.sleep(POLL)
        return None

    def close(self) -> None:
        """Let nothing wait any longer."""
        self._over.set()


class Streams:
    """The pipes of one run, as a context: ``paths`` for the quantifier to read.

    Parameters
    ----------
    remotes
        Its files, one per mate.
    patience
        How long to wait for their server.
    """

    def __init__(self, remotes: Sequence[Remote], patience: Patience) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="polytene-pipes-")
        names = [Path(self._folder.name) / f"{i}.fastq" for i in (1, 2)]
        self.feeds = [
            Feed(remote, pipe, patience) for remote, pipe in zip(remotes, names, strict=False)
        ]
        self._threads = ThreadPoolExecutor(2 * len(self.feeds), "polytene-stream")

    @property
    def paths(self) -> list[str]:
        """The named pipes."""
        return [str(feed.pipe) for feed in self.feeds]

    def __enter__(self) -> Streams:
        for feed in self.feeds:
            self._threads.submit(feed.fetch)
        for feed in self.feeds:
            feed.wait_for_first()
        if any(feed.error for feed in self.feeds):
            self._end()
            self.check()
        for feed in self.feeds:
            self._threads.submit(feed.write)
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def _end(self) -> None:
        for feed in self.feeds:
            feed.close()
        self._threads.shutdown(wait=True)
        self._folder.cleanup()

    def check(self) -> None:
        """Raise what went wrong with a download: it weighs more than what the quantifier says."""
        for feed in self.feeds:
            if feed.error is not None:
                raise feed.error

    @property
    def reads(self) -> int:
        """Reads, or pairs, that passed: those of the shorter mate."""
        return min(feed.unpacker.reads for feed in self.feeds)

    @property
    def whole(self) -> bool:
        """Whether all files came to their end, and are as announced."""
        return all(feed.whole for feed in self.feeds)
