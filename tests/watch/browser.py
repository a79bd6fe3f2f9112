"""A real browser: pages are opened, waited for, and looked at."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tornado.websocket import WebSocketClientConnection, websocket_connect

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*",
    # no name but this machine's is found: the browser is offline
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip
PATIENCE = 90.0
IDLE = (
    "window.Bokeh !== undefined && Bokeh.documents.length > 0"
    " && Bokeh.documents.every(d => d.is_idle)"
)


@dataclass
class Page:
    """What was seen of a page."""

    picture: bytes
    text: str
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        return np.asarray(Image.open(io.BytesIO(self.picture)).convert("RGB"))

    @property
    def elsewhere(self) -> list[str]:
        """Addresses that are not of this machine."""
        own = ("http://127.0.0.1:", "ws://127.0.0.1:", "file://", "data:", "blob:")
        return [url for url in self.asked if not url.startswith(own)]

    def save(self, path: Path, most: int = 150_000) -> None:
        """Write the picture as PNG, with fewer colours where it is large."""
        path.write_bytes(self.picture)
        image = Image.open(path).convert("RGB")
        if path.stat().st_size <= most:
            return
        for colours in (128, 64, 32):
            image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
            if path.stat().st_size <= most:
                return


@contextmanager
def browser(folder: Path) -> Iterator[Callable[..., Page]]:
    """Give a function that opens an address and looks at it."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed"
    command = [program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(folder / "DevToolsActivePort", process)

        def look(url: str, ready: str = IDLE, size: tuple[int, int] = (1200, 900)) -> Page:
            return asyncio.run(_look(port, url, ready, size))

        yield look
    finally:
        process.terminate()
        process.wait(30)


def _port(path: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, "chromium ended"
        if path.exists() and (lines := path.read_text().split()):
            return int(lines[0])
        time.sleep(0.05)
    raise TimeoutError("chromium does not listen")


async def _look(port: int, url: str, ready: str, size: tuple[int, int]) -> Page:
    from tornado.httpclient import AsyncHTTPClient

    made = await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT", body=""
    )
    about = json.loads(made.body)
    socket = await websocket_connect(about["webSocketDebuggerUrl"], max_message_size=1 << 27)
    page = Page(b"", "")
    call = _caller(socket, page)
    for domain in ("Page", "Runtime", "Network", "Log"):
        await call(f"{domain}.enable")
    await _size(call, *size)
    await call("Page.navigate", url=url)
    await _until(call, f"document.readyState === 'complete' && {ready}")
    for _ in range(2):  # what was out of sight is laid out once it is in sight
        tall = int(await _value(call, "Math.ceil(document.documentElement.scrollHeight)"))
        await _size(call, size[0], min(max(tall, 300), 3000))
        await asyncio.sleep(0.7)  # what was sent a moment ago is drawn, too
        await _until(call, ready)
    page.text = str(await _value(call, TEXT))
    shot = await call("Page.captureScreenshot", format="png")
    page.picture = base64.b64decode(shot["data"])
    await call("Page.close")
    socket.close()
    return page


TEXT = """(() => { const seen = []; const walk = n => { if (n.shadowRoot) walk(n.shadowRoot);
 for (const c of n.childNodes) { if (c.nodeType === 3) seen.push(c.data);
 else if (!['SCRIPT', 'STYLE'].includes(c.nodeName)) walk(c); } };
 walk(document.body); return seen.join(' '); })()"""

Call = Callable[..., Awaitable[dict[str, Any]]]


def _caller(socket: WebSocketClientConnection, page: Page) -> Call:
    count = iter(range(1, 1 << 30))

    async def call(method: str, **params: Any) -> dict[str, Any]:
        number = next(count)
        await socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = await asyncio.wait_for(socket.read_message(), PATIENCE)
            assert isinstance(message, str), "chromium has closed the connection"
            said = json.loads(message)
            if said.get("id") == number:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            _note(said, page)

    return call


def _note(said: dict[str, Any], page: Page) -> None:
    method, params = said.get("method"), said.get("params", {})
    if method == "Runtime.exceptionThrown":
        page.errors.append(json.dumps(params["exceptionDetails"])[:600])
    elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
        page.errors.append(json.dumps(params["args"])[:600])
    elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
        page.errors.append(json.dumps(params["entry"])[:600])
    elif method == "Network.requestWillBeSent":
        page.asked.append(params["request"]["url"])
    elif method == "Network.webSocketCreated":
        page.asked.append(params["url"])


async def _size(call: Call, width: int, height: int) -> None:
    await call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip


async def _value(call: Call, expression: str) -> Any:
    found = await call("Runtime.evaluate", expression=expression, returnByValue=True)
    return found["result"].get("value")


async def _until(call: Call, expression: str) -> None:
    end = time.monotonic() + PATIENCE
    while not await _value(call, expression):
        assert time.monotonic() < end, f"never true: {expression}"
        await asyncio.sleep(0.1)
