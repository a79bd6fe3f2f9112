"""The driver's index of receipts: append-only lines, each with its checksum; one writer.

The truth is in the parts. The ledger says where they are without listing folders, can be read
by anybody at any time, and lacks at most the last half second after a kill; what it lacks is
found again in the parts.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polytene.core import parts
from polytene.core.canonical import Json, canonical
from polytene.core.chaos import point
from polytene.core.files import full_disk_named, sync_folder
from polytene.core.versions import versions
from polytene.exceptions import DamagedRun, RunLocked

EVERY = 0.5
MOST = 1000
SEGMENTS = "[0-9][0-9][0-9][0-9][0-9]-*.jsonl"

Record = dict[str, Json]


def line_of(record: Record) -> bytes:
    """Return a record as a line with its checksum."""
    body = canonical(record)
    return b"%b %08x\n" % (body, zlib.crc32(body))


def parse(line: bytes) -> Record | None:
    """Return the record of a line, or None where the line is damaged."""
    body, _, mark = line.rstrip(b"\n").rpartition(b" ")
    if not line.endswith(b"\n") or mark != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def segments(root: Path) -> list[Path]:
    """Return the ledger's files, oldest first."""
    return sorted((root / "ledger").glob(SEGMENTS))


def read(root: Path) -> Iterator[Record | None]:
    """Yield the records of a run directory in order; None for each damaged line."""
    for segment in segments(root):
        with open(segment, "rb") as lines:
            for line in lines:
                if line.strip():
                    yield parse(line)


def attempt(part: str) -> str:
    """Return epoch and attempt of a part's name, as text that sorts."""
    return part.partition(".")[2]


class Ledger:
    """The ledger of a run directory, open for writing.

    Parameters
    ----------
    root
        The run directory; the caller holds its lock.
    guard
        Raises when this driver has lost the right to write.
    """

    def __init__(self, root: Path, guard: Callable[[], None] = lambda: None) -> None:
        self.root, self._guard = root, guard
        self.damaged = self.adopted = 0
        self._known: dict[tuple[str, str], Record] = {}
        self._buffer: list[bytes] = []
        self._mutex = threading.Lock()
        self._failed: Exception | None = None
        self._torn = False
        (root / "ledger").mkdir(parents=True, exist_ok=True)
        for record in read(root):
            if record is None:
                self.damaged += 1
            elif "part" in record:
                self._index(record)
        strays, last = self._strays()
        epochs = [int(p.name[:5]) for p in segments(root)]
        self.epoch = 1 + max([*epochs, last], default=0)
        path = root / "ledger" / f"{self.epoch:05d}-{uuid.uuid4().hex[:8]}.jsonl"
        flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY
        with full_disk_named(path):
            self._handle = os.open(path, flags, 0o666)
            sync_folder(path.parent)
        point("ledger.opened")
        for receipt in strays:
            self.add(receipt)
        self.adopted = len(strays)
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="polytene-ledger", daemon=True)
        self._ticker.start()

    def _index(self, record: Record) -> None:
        place = (record["leg"], record["tag"])
        old = self._known.get(place)
        if old is None or attempt(old["part"]) <= attempt(record["part"]):
            self._known[place] = record

    def _strays(self) -> tuple[list[Record], int]:
        """Return parts committed after a killed driver's last commit, and the last epoch."""
        listed = {r["part"] for r in self._known.values()}
        found: list[Record] = []
        last = 0
        for path in (self.root / "parts").glob("*/*/*.json"):
            name = str(path.relative_to(self.root).with_suffix(""))
            if not attempt(name)[:5].isdigit():
                continue
            last = max(last, int(attempt(name)[:5]))
            old = self._known.get((path.parts[-3], path.name[:16]))
            if name in listed or (old and attempt(name) <= attempt(old["part"])):
                continue
            try:
                found.append(parts.read_receipt(self.root, name)[0])
            except DamagedRun:
                self.damaged += 1
        return found, last

    def add(self, receipt: Record) -> None:
        """Take a receipt; it is durable within half a second."""
        self._index(receipt)
        self.note(receipt)

    def note(self, record: Record) -> None:
        """Append any record."""
        self.check()
        with self._mutex:
            self._buffer.append(line_of(record))
        if len(self._buffer) >= MOST:
            self.commit()

    def check(self) -> None:
        """Raise what stopped the thread that commits, or what the guard says."""
        self._guard()
        if self._failed is not None:
            raise self._failed

    def commit(self) -> None:
        """Write what waits, and make it durable."""
        self._guard()
        with self._mutex:
            if not self._buffer:
                return
            data = memoryview((b"\n" if self._torn else b"") + b"".join(self._buffer))
            self._torn = True
            with full_disk_named(self.root / "ledger"), self._whole():
                while data:
                    data = data[os.write(self._handle, data) :]
                point("ledger.written")
                os.fdatasync(self._handle)
                point("ledger.synced")
            self._torn = False
            self._buffer.clear()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Take back what a full disk let through of the last lines."""
        end = os.fstat(self._handle).st_size
        try:
            yield
        except OSError:
            os.ftruncate(self._handle, end)
            self._torn = False
            raise

    def _tick(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self.commit()
            except (OSError, RunLocked) as error:
                self._failed = error
                return

    def receipt(self, leg: str, tag: int) -> Record | None:
        """Return the receipt of a block whose part is there with the committed size."""
        found = self._known.get((leg, f"{tag:016x}"))
        return found if found and parts.is_there(self.root, found) else None

    def begin(self, fingerprint: str) -> None:
        """Note that a driver begins."""
        about = {"epoch": self.epoch, "fingerprint": fingerprint, "versions": versions()}
        self.note({"event": "begin", "time": time.time(), **about})
        self.commit()

    def end(self, status: str, **about: Any) -> None:
        """Note how a driver ends."""
        if self._failed is None and not self._lost_right():
            self.note({"event": "end", "time": time.time(), "status": status, **about})

    def _lost_right(self) -> bool:
        try:
            self._guard()
        except RunLocked:
            return True
        return False

    def close(self) -> None:
        """Stop the ticker and write what waits."""
        self._stop.set()
        self._ticker.join()
        try:
            if self._failed is None and not self._lost_right():
                self.commit()
        finally:
            os.close(self._handle)
