"""What a run computes on: the device asked for, or what its cluster owns, settled once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from polytene.core.files import write_bytes
from polytene.core.run import opened
from polytene.exceptions import UsageError

if TYPE_CHECKING:
    from distributed import Client

Device: TypeAlias = Literal["cpu", "cuda"]
Wanted: TypeAlias = Literal["auto", "cpu", "cuda"]
GPU = "GPU"
NAME = "device"
WANTED = ("auto", "cpu", "cuda")


@contextmanager
def settled(wanted: str, run_dir: str | Path, client: Any = None) -> Iterator[tuple[Device, Any]]:
    """Give the device that a run computes on, and the client to run with.

    Parameters
    ----------
    wanted
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the device that the run directory was begun with;
        in a new one ``"cuda"`` if a worker of the cluster owns a ``GPU``, for which the cluster is
        opened.
    run_dir, client
        As for :func:`polytene.run`.

    Raises
    ------
    UsageError
        If there is no such device.

    Examples
    --------
    >>> import tempfile
    >>> with settled("auto", tempfile.mkdtemp()) as (device, client):
    ...     device
    'cpu'
    """
    if wanted not in WANTED:
        raise UsageError(f"device is {wanted!r}: one of {', '.join(WANTED)}")
    if wanted != "auto":
        yield wanted, client  # type: ignore[misc]
        return
    path = Path(run_dir) / NAME
    if path.exists():
        before = path.read_text(encoding="utf-8").strip()
        yield "cuda" if before == "cuda" else "cpu", client
        return
    with opened(client) as found:
        device: Device = "cuda" if _owns_gpu(found) else "cpu"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, f"{device}\n".encode())
        yield device, found


def _owns_gpu(client: Client) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any((about.get("resources") or {}).get(GPU) for about in workers)
