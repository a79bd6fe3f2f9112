"""An archive of reads on loopback: the ENA's portal and files, and the NCBI's name resolver.

It serves real HTTP, with faults on demand, so that whatever talks to the archives can be tried
without them.
"""

from __future__ import annotations

import email
import hashlib
import json
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STEP = 1 << 14
SECONDS_PER_STEP = 0.05
COLUMNS = (
    "run_accession", "fastq_ftp", "fastq_md5", "fastq_bytes", "read_count", "library_layout",
    "nominal_length", "nominal_sdev", "scientific_name", "sra_bytes",
)  # fmt: skip


@cache
def _md5(path: Path, mtime_ns: int) -> str:
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "md5").hexdigest()


@dataclass
class Archive:
    """A folder of ``RUN_1.fastq.gz``, ``RUN.fastq.gz`` and ``RUN.sra``, served until it is left.

    Parameters
    ----------
    folder
        Where the files are.
    reads
        Reads (pairs) per run, as the portal tells them.
    rate
        Bytes per second of one connection; 0: as fast as it goes.
    organism
        What the portal says that the runs are of.

    Examples
    --------
    >>> import tempfile
    >>> with Archive(Path(tempfile.mkdtemp())) as archive:
    ...     archive.url.startswith("http://127.0.0.1:")
    True
    """

    folder: Path
    reads: dict[str, int] = field(default_factory=dict)
    rate: float = 0.0
    organism: str = "Generatus exempli"
    faults: dict[str, list[Any]] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    stall: float = 20.0
    open_now: int = 0
    open_most: int = 0

    def __enter__(self) -> Archive:
        handler = type("Handler", (_Handler,), {"archive": self})
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        """Address of the portal."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def sdl_url(self) -> str:
        """Address of the name resolver."""
        return f"{self.url}/sdl/2/retrieve"

    def fail(self, name: str, kind: str, times: float = 1) -> None:
        """Let the next requests of a file fail.

        ``kind`` is ``truncate``, ``corrupt``, ``stall``, ``html``, ``404``, ``503`` or ``429``.
        """
        self.faults[name] = [kind, times]

    def fault(self, name: str) -> str | None:
        """Return the fault of this request."""
        with self.lock:
            planned = self.faults.get(name)
            if planned is None or planned[1] <= 0:
                return None
            planned[1] -= 1
            return str(planned[0])

    def report(self, run: str) -> str:
        """Return the portal's report of a run."""
        files = sorted(self.folder.glob(f"{run}*.fastq.gz"))
        head = "\t".join(COLUMNS)
        if not files:
            return head + "\n"
        port = self.server.server_address[1]
        sums = [_md5(p, p.stat().st_mtime_ns) for p in files]
        layout = "PAIRED" if len(files) > 1 else "SINGLE"
        spots = str(self.reads.get(run, ""))
        cells = [run, ";".join(f"127.0.0.1:{port}/files/{p.name}" for p in files), ";".join(sums),
                 ";".join(str(p.stat().st_size) for p in files), spots, layout, "", "",
                 self.organism, ""]  # fmt: skip
        return head + "\n" + "\t".join(cells) + "\n"

    def resolve(self, run: str) -> dict[str, Any]:
        """Return what the name resolver says of a run."""
        path = self.folder / f"{run}.sra"
        if not path.exists():
            return {"bundle": run, "status": 404, "msg": "Cannot resolve accession"}
        link = f"{self.url}/files/{path.name}"
        place = {"service": "sra-ncbi", "region": "public", "link": link}
        about = {"object": f"srapub|{run}", "accession": run, "type": "sra", "name": run}
        size, md5 = path.stat().st_size, _md5(path, path.stat().st_mtime_ns)
        about |= {"modificationDate": "2020-01-01T00:00:00Z"}
        file = {**about, "size": size, "md5": md5, "noqual": False, "locations": [place]}
        return {"bundle": run, "status": 200, "msg": "ok", "files": [file]}


class _Handler(BaseHTTPRequestHandler):
    archive: Archive
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _send(self, code: int, body: bytes, kind: str = "text/plain", **head: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in head.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer the name resolver's clients."""
        size = int(self.headers.get("Content-Length", 0))
        body, kind = self.rfile.read(size), self.headers.get("Content-Type", "")
        asked: list[str] = []
        if "multipart" in kind:
            message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            for part in message.get_payload():
                if part.get_param("name", header="content-disposition") == "acc":  # type: ignore[union-attr]
                    asked.append(str(part.get_payload()))  # type: ignore[union-attr]
        else:
            asked = urllib.parse.parse_qs(body.decode()).get("acc", [])
        answer = {"version": "2", "result": [self.archive.resolve(run) for run in asked]}
        self._send(200, json.dumps(answer).encode(), "application/json")

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer the portal's clients, and serve files."""
        address = urllib.parse.urlparse(self.path)
        asked = urllib.parse.parse_qs(address.query)
        if address.path == "/ena/portal/api/filereport":
            fault = self.archive.fault("portal")
            if fault:
                self._send(int(fault), b"", Retry_After="0")
                return
            self._send(200, self.archive.report(asked["accession"][0]).encode())
        elif address.path.startswith("/files/"):
            self._file(address.path.removeprefix("/files/"))
        else:
            self._send(404, b"nothing here")

    def _file(self, name: str) -> None:
        archive = self.archive
        path = archive.folder / name
        fault = archive.fault(name) if self.command == "GET" else None
        wanted = self.headers.get("Range")
        archive.requests.append((name, wanted))
        if fault in ("503", "429"):
            self._send(int(fault), b"busy", Retry_After="0")
        elif fault == "html":
            self._send(200, b"<html>please log in</html>", "text/html")
        elif fault == "404" or "/" in name or not path.is_file():
            self._send(404, b"nothing here")
        else:
            with archive.lock:
                archive.open_now += 1
                archive.open_most = max(archive.open_most, archive.open_now)
            self.over = False
            try:
                self._bytes(path, wanted, fault)
            finally:
                self._end()

    def _end(self) -> None:
        """Count the connection as over, before its last byte: its client may go on at once."""
        with self.archive.lock:
            self.archive.open_now -= not self.over
            self.over = True

    def _bytes(self, path: Path, wanted: str | None, fault: str | None) -> None:
        data = path.read_bytes()
        first, last = 0, len(data) - 1
        if wanted:
            start, _, stop = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start or 0), min(int(stop) if stop else last, last)
        body = data[first : last + 1]
        if wanted and first >= len(data):
            self._send(416, b"", Content_Range=f"bytes */{len(data)}")
            return
        if fault == "corrupt" and body:
            body = body[:-20] + bytes([body[-20] ^ 255]) + body[-19:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{_md5(path, path.stat().st_mtime_ns)}"')
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        if self.command != "HEAD":
            self._body(path.name, body, fault)

    def _body(self, name: str, body: bytes, fault: str | None) -> None:
        cut = len(body) // 2 if fault in ("truncate", "stall") else len(body)
        rate = self.archive.rate
        step = max(1, min(STEP, int(rate * SECONDS_PER_STEP))) if rate else STEP
        begun = time.monotonic()
        try:
            for start in range(0, cut, step):
                chunk = body[start : min(start + step, cut)]
                if rate:  # by the clock: sleeps that are too long do not add up
                    due = begun + (start + len(chunk)) / rate
                    time.sleep(max(0.0, due - time.monotonic()))
                if start + step >= len(body):
                    self._end()
                self.wfile.write(chunk)
                self.archive.given[name] += len(chunk)
            self.wfile.flush()
            if fault == "stall":
                time.sleep(self.archive.stall)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.close_connection = self.close_connection or cut < len(body)
