"""Servers of files: what may go wrong with them, how long to wait for them, and small texts."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import httpx

from polytene.exceptions import PolyteneError

LONGEST_WAIT = 60.0
NOT_RETRIED = frozenset({400, 401, 403, 404, 405, 410, 451})
USER_AGENT = "polytene (+https://www.ncbi.nlm.nih.gov/sra; bulk client with connection caps)"


class DownloadFailed(PolyteneError):
    """A download failed in a way that may pass.

    Parameters
    ----------
    reason
        Short code that groups equal causes.
    detail
        Which file, where in it, and what was expected.
    retry_after
        Seconds that the server asked to wait.
    """

    category = "transport"

    def __init__(self, reason: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(reason, detail, retry_after)
        self.reason, self.detail, self.retry_after = reason, detail, retry_after

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class NotThere(DownloadFailed):
    """The server has no such file, or does not give it: trying again does not help."""

    category = "input"


class Unlike(DownloadFailed):
    """The bytes are not those that were announced: what came is to be thrown away."""


@dataclass(frozen=True)
class Remote:
    """A file at a server.

    Parameters
    ----------
    url
        Where it is.
    nbytes, md5
        What it is known to be; None where that is not known.
    """

    url: str
    nbytes: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Parameters
    ----------
    tries
        Tries without a new byte before a download is given up.
    idle
        Seconds without a byte after which a connection is closed.
    total
        Seconds that a whole download may take; None: as long as bytes come.
    wait
        Seconds before the second try; they double each time, up to a minute. A server that says
        how long to wait (Retry-After) is believed, up to a minute.
    """

    tries: int = 5
    idle: float = 60.0
    total: float | None = None
    wait: float = 1.0

    def rest(self, tried: int, error: Exception) -> None:
        """Wait before the next try: as long as the server asked, else twice as long as before.

        Up to half is left out by chance, so that many clients do not come back at once.
        """
        said = getattr(error, "retry_after", None)
        longer = self.wait * 2.0 ** (tried - 1) * (1 - random.random() / 2)
        time.sleep(min(LONGEST_WAIT, longer if said is None else said))


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After; dates are left to the usual waiting."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def fetch_text(url: str, params: dict[str, str], patience: Patience | None = None) -> str:
    """Return a small text from a server.

    Raises
    ------
    NotThere
        If the server has none: 4xx, or 204 No Content.
    DownloadFailed
        If it does not answer.
    """
    patience = patience or Patience()
    with httpx.Client(timeout=patience.idle, follow_redirects=True) as client:
        for tried in range(1, patience.tries):
            try:
                return _text(client, url, params)
            except NotThere:
                raise
            except DownloadFailed as error:
                patience.rest(tried, error)
        return _text(client, url, params)


def _text(client: httpx.Client, url: str, params: dict[str, str]) -> str:
    try:
        answer = client.get(url, params=params, headers={"User-Agent": USER_AGENT})
    except httpx.TransportError as error:
        word = "stalled" if isinstance(error, httpx.TimeoutException) else "no-answer"
        raise DownloadFailed(word, f"{url}: {type(error).__name__}") from None
    if answer.status_code == 200:
        return answer.text
    detail = f"{answer.url}: the server says {answer.status_code}"
    if answer.status_code in NOT_RETRIED or answer.status_code == 204:
        raise NotThere("not-found", detail)
    raise DownloadFailed("server-busy", detail, retry_after(answer))
