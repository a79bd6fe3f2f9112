"""An archive on loopback: it lists, serves with ranges and latency, and fails as it is told to."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from polytene.lightcurves.archive import bucket_key

FAULTS = ("404", "503", "429-wait", "truncated", "html", "stall", "wrong-md5", "cut-fits")


@dataclass
class ArchiveServer:
    """Files by name; ``faults`` says what happens to the first requests for a name."""

    files: dict[str, bytes]
    observed: dict[str, list[str]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    latency: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    busy: int = 0
    peak: int = 0

    def __enter__(self) -> ArchiveServer:
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.http = _Server(("127.0.0.1", 0), _handler(self))
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def next_fault(self, name: str) -> str:
        with self.lock:
            waiting = self.faults.get(name, [])
            if not waiting:
                return ""
            return waiting[0] if waiting[0].startswith("always ") else waiting.pop(0)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


def _handler(archive: ArchiveServer) -> Callable[..., http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.counted(self.get)

        def do_POST(self) -> None:
            self.counted(self.post)

        def counted(self, work: Callable[[], None]) -> None:
            with archive.lock:
                archive.busy += 1
                archive.peak = max(archive.peak, archive.busy)
            try:
                time.sleep(archive.latency)
                work()
            finally:
                with archive.lock:
                    archive.busy -= 1

        def post(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = json.loads(urllib.parse.parse_qs(body)["request"][0])
            archive.requests["search"] += 1
            if fault := archive.next_fault("search"):
                self.plain(int(fault), b"")
                return
            filters = {f["paramName"]: f["values"][0] for f in asked["params"]["filters"]}
            found = archive.observed.get(filters["target_name"], [])
            rows = [{"dataURL": f"mast:TESS/product/{name}"} for name in found]
            rows.append({"dataURL": None})
            self.plain(200, json.dumps({"status": "COMPLETE", "data": rows}).encode())

        def get(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            query = urllib.parse.parse_qs(url.query)
            if "prefix" in query:
                self.plain(200, listing(archive, query["prefix"][0]))
                return
            path = query["uri"][0] if "uri" in query else urllib.parse.unquote(url.path)
            place, name = ("mast" if "uri" in query else "s3"), path.rpartition("/")[2]
            archive.requests[name] += 1
            fault = archive.next_fault(f"{place} {name}") or archive.next_fault(name)
            self.serve(name, fault.removeprefix("always "))

        def serve(self, name: str, fault: str) -> None:
            data = archive.files.get(name)
            if data is None or fault == "404":
                self.plain(404, b"not here")
            elif fault == "503":
                self.plain(503, b"busy", {"Retry-After": "0"})
            elif fault == "429-wait":
                self.plain(429, b"slow down", {"Retry-After": "1"})
            elif fault == "html":
                self.plain(200, b"<html>log in, please</html>")
            elif fault == "cut-fits":
                self.plain(200, data[: len(data) - 100])
            else:
                self.file(name, data, fault)

        def file(self, name: str, data: bytes, fault: str) -> None:
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            etag = "0" * 32 if fault == "wrong-md5" else etag
            start = 0
            if (asked := self.headers.get("Range")) and self.headers.get("If-Range") == f'"{etag}"':
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                archive.ranges.append(asked)
            rest = data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.send_header("ETag", f'"{etag}"')
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if fault in ("truncated", "stall"):
                self.wfile.write(rest[: len(rest) // 3])
                self.wfile.flush()
                archive.sent[name] += len(rest) // 3
                self.close_connection = True
                if fault == "stall":
                    archive.ended.wait(20)
                return
            self.wfile.write(rest)
            archive.sent[name] += len(rest)

        def plain(self, code: int, body: bytes, more: dict[str, str] | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            for key, value in (more or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def listing(archive: ArchiveServer, prefix: str) -> bytes:
    keys = [k for k in map(bucket_key, archive.files) if k and k.startswith(prefix)]
    items = "".join(f"<Contents><Key>{k}</Key></Contents>" for k in keys)
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<ListBucketResult xmlns="{space}">{items}</ListBucketResult>'.encode()
