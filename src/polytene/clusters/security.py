"""TLS between the processes of a cluster, with credentials of its own that die with it.

Whoever reaches a scheduler can run code as its user, and loopback is no wall between the users of
one machine. So a cluster on a shared host speaks TLS and takes only who shows its certificate.
Dask has both ends show it; who has the private key is one of us.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import pwd
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed.security import Security

from polytene.exceptions import UsageError

PREFIX = "polytene-tls-"
NAME = "polytene"
FIRST_USER = 1000
NOBODY = 65534
SKEW = datetime.timedelta(minutes=10)
LEAST_DAYS, MOST_DAYS = 1 / 24, 366
MODES = ("auto", "on", "off")


@contextmanager
def security(
    mode: Any = "auto", parent: str | Path | None = None, days: float = 14
) -> Iterator[Security | None]:
    """Make the credentials of one cluster, if it shall have any, and remove them when it ends.

    Parameters
    ----------
    mode
        ``"on"``; ``"off"``: None is given; ``"auto"``: on where others use this host.
    parent, days
        See :func:`credentials`.

    Raises
    ------
    UsageError
        For another mode; and as :func:`credentials` does.
    """
    if wanted(mode):
        with credentials(parent, days) as found:
            yield found
    else:
        yield None


@contextmanager
def credentials(parent: str | Path | None = None, days: float = 14) -> Iterator[Security]:
    """Make the credentials of one cluster, and remove them when it ends.

    They are a private key and a certificate in a new folder that only this user can read; the
    result holds their paths. Those of clusters that were killed are removed first.

    Parameters
    ----------
    parent
        Where the folder is made: for workers on other hosts, one that they see under the same
        path. None: the host's temporary folder.
    days
        How long the certificate is valid. It is checked whenever a connection is made, so it has
        to outlast the run.

    Raises
    ------
    UsageError
        For another validity, or if the folder cannot be made.

    Examples
    --------
    >>> with credentials() as found:
    ...     found.require_encryption
    True
    """
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise UsageError(f"tls-days is {days:g}: between an hour and {MOST_DAYS} days")
    above = Path(parent or tempfile.gettempdir()).absolute()
    sweep(above)
    try:
        above.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))  # for this user only
    except OSError as error:
        raise UsageError(f"{above}: no folder for credentials: {error.strerror}") from None
    try:
        until = _now() + datetime.timedelta(days=days)
        with _held(folder, until):
            key, certificate = _make(until)
            _write(folder / "key.pem", key)
            _write(folder / "certificate.pem", certificate)
            yield _as_security(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path, until: datetime.datetime) -> Iterator[None]:
    """Lock a folder as in use, where the file system can; others see the host and the validity."""
    place = os.open(folder, os.O_RDONLY)
    try:
        with open(folder / "owner", "w", encoding="utf-8") as owner:
            with suppress(OSError):
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(place, fcntl.LOCK_SH)  # systemd-tmpfiles leaves such a folder alone
            owner.write(json.dumps({"host": socket.gethostname(), "until": until.isoformat()}))
            owner.flush()
            yield
    finally:
        os.close(place)


def wanted(mode: Any) -> bool:
    """Say whether a cluster of this host shall speak TLS; YAML reads ``on`` and ``off`` as truth.

    Raises
    ------
    UsageError
        If the mode is none of ``auto``, ``on``, ``off``.
    """
    mode = {True: "on", False: "off"}.get(mode, mode)
    if mode not in MODES:
        raise UsageError(f"tls is {mode!r}: one of {', '.join(MODES)}")
    return mode == "on" or (mode == "auto" and others_here())


def others_here() -> bool:
    """Say whether people other than this user have accounts or processes on this host."""
    me = os.getuid()
    known = (
        entry.pw_uid
        for entry in pwd.getpwall()
        if not entry.pw_shell.endswith(("/nologin", "/false"))
    )
    if any(_is_other(uid, me) for uid in known):
        return True
    return any(_is_other(uid, me) for uid in _running())  # accounts of a directory server


def _is_other(uid: int, me: int) -> bool:
    return uid >= FIRST_USER and uid not in (me, NOBODY)


def _running() -> Iterator[int]:
    """Yield the users of the host's processes, as far as the system shows them."""
    with suppress(OSError):
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                yield process.stat().st_uid


def sweep(above: Path) -> None:
    """Remove the credentials of clusters whose driver is gone."""
    for folder in above.glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _dead(folder: Path) -> bool:
    """Whether nobody uses the credentials: their lock is free, or their time is over."""
    with open(folder / "owner", encoding="utf-8") as owner:
        about = json.loads(owner.read() or "{}")
        if about.get("until", "9") < _now().isoformat():
            return True
        if about.get("host") != socket.gethostname():
            return False
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _make(until: datetime.datetime) -> tuple[bytes, bytes]:
    """Return a new private key and a certificate that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - SKEW)  # the clocks of hosts differ
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return private, certificate.public_bytes(pem)


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as out:
        out.write(data)


def _as_security(folder: Path) -> Security:
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        tls_ca_file=certificate,
        **{f"tls_{role}_cert": certificate for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )
