"""One client for the several runs of a build."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from polytene.core.run import opened
from polytene.exceptions import Interrupted

POLL = 0.1


@contextmanager
def once(client: Any) -> Iterator[Once]:
    """Give several runs one client, which is opened when the first of them needs it."""
    with ExitStack() as stack:
        yield Once(client, stack)


class Once:
    """A client that is opened once, however often it is entered."""

    def __init__(self, client: Any, stack: ExitStack) -> None:
        self._given, self._stack = client, stack
        self._found: Any = None

    def __enter__(self) -> Any:
        if self._found is None:
            self._found = self._stack.enter_context(opened(self._given))
        return self._found

    def __exit__(self, *error: object) -> None:
        pass


class ForThread:
    """A client for a run in another thread; it is opened by the thread that closes it, too.

    Parameters
    ----------
    client
        What :func:`once` gave.
    left
        Set when nobody will open it any more.
    """

    def __init__(self, client: Once, left: threading.Event) -> None:
        self._client, self._left = client, left
        self._wanted, self._open = threading.Event(), threading.Event()
        self._found: Any = None

    def serve(self) -> None:
        """Open the client if the other thread asks for it; call it again and again."""
        if self._wanted.is_set() and not self._open.is_set():
            self._found = self._client.__enter__()
            self._open.set()

    def __enter__(self) -> Any:
        self._wanted.set()
        while not self._open.wait(POLL):
            if self._left.is_set():
                raise Interrupted("left before there was a client")
        return self._found

    def __exit__(self, *error: object) -> None:
        pass
