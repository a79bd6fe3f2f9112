"""Under which address two machines find each other."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from polytene.exceptions import UsageError

ASKED = 16
PORT = 9  # nothing is sent to it


def towards(host: str) -> str | None:
    """Return this machine's address on the way to a host; None if there is no way."""
    with suppress(OSError):
        kind, _, _, _, address = socket.getaddrinfo(host, PORT, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    return None


def address_for(nodes: Sequence[str], interface: str | None = None) -> str:
    """Return the address on which workers on some nodes find this machine.

    Parameters
    ----------
    nodes
        Names or addresses of the nodes.
    interface
        Network interface to use; None: the one that leads to most of the nodes, which is loopback
        where all of them are this machine.

    Raises
    ------
    UsageError
        If there is no such interface, or no way to any node.
    """
    if interface:
        from distributed.utils import get_ip_interface

        try:
            return str(get_ip_interface(interface))
        except ValueError as error:
            raise UsageError(f"interface {interface!r}: {error}") from None
    found = Counter(address for node in nodes[:ASKED] if (address := towards(node)))
    if not found:
        raise UsageError(
            f"this machine finds no way to {', '.join(nodes[:3]) or 'any node'}: name the network "
            "interface that workers reach it by, as polytene.cluster.slurm.interface"
        )
    return found.most_common(1)[0][0]
