"""Which files an archive has of a target, and how they come into the cache.

TESS: MAST lists the observations, whose file names say where they lie in the open-data bucket.
Kepler: the bucket lists the folder of the star. K2: MAST lists them.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from polytene.core.keys import safe_key
from polytene.exceptions import BadInput
from polytene.formats.remote import DownloadFailed, NotThere, Unlike
from polytene.lightcurves.download import check_fits, download, get_text, write_note
from polytene.lightcurves.targets import Target, split_id

_TESS = re.compile(r"tess\d+-s(\d{4})-(\d{4})(\d{4})(\d{4})(\d{4})-\d{4}-(a_fast|s)_lc\.fits")
_K2 = re.compile(r"ktwo(\d{4})(\d{5})-c(\d{2,3})_(llc|slc)\.fits")
_KEPLER = re.compile(r"kplr\d{9}-\d+_(llc|slc)\.fits")
_COLLECTION = {"TIC": "TESS", "EPIC": "K2"}
_FAST, _SLOW = "a_fast", "s"


def bucket_key(name: str) -> str | None:
    """Return where a file lies in the open-data bucket; None if its name does not tell.

    Examples
    --------
    >>> bucket_key("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    'tess/public/tid/s0001/0000/0000/2515/5310/tess2018206045859-s0001-0000000025155310-0120-s_lc.fits'
    >>> bucket_key("kplr011446443-2009131105131_llc.fits")
    'kepler/public/lightcurves/0114/011446443/kplr011446443-2009131105131_llc.fits'
    >>> bucket_key("ktwo201367065-c01_llc.fits")
    'k2/public/lightcurves/c1/201300000/67065/ktwo201367065-c01_llc.fits'
    """
    if found := _TESS.fullmatch(name):
        sector, *digits = found.groups()[:5]
        return f"tess/public/tid/s{sector}/{'/'.join(digits)}/{name}"
    if _KEPLER.fullmatch(name):
        return f"kepler/public/lightcurves/{name[4:8]}/{name[4:13]}/{name}"
    if found := _K2.fullmatch(name):
        high, low, campaign, _ = found.groups()
        return f"k2/public/lightcurves/c{int(campaign)}/{high}00000/{low}/{name}"
    return None


def mast_path(name: str) -> str | None:
    """Return where MAST serves a file."""
    if _TESS.fullmatch(name):
        uri = f"mast:TESS/product/{name}"
    elif key := bucket_key(name):
        mission, _, rest = key.partition("/public/lightcurves/")
        uri = f"mast:{mission.upper()}/url/missions/{mission}/lightcurves/{rest}"
    else:
        return None
    return f"api/v0.1/Download/file?uri={quote(uri, safe='')}"


def urls_of(product: str, bases: list[str]) -> list[str]:
    """Return from where a product can be had, best first: the bucket, then MAST."""
    if product.startswith(("http://", "https://")):
        return [product]
    name = product.rpartition("/")[2]
    if "/" in product or not bucket_key(name):
        return [f"{base}/{product}" for base in bases]
    paths = [bucket_key(name), *[mast_path(name)] * (len(bases) - 1)]
    return [f"{base}/{path}" for base, path in zip(bases, paths, strict=True) if path]


def resolve(target: Target, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the products of a target, of one family, sorted by name; asked once, then cached.

    Raises
    ------
    BadInput
        ``bad-target-id`` if it is no TIC, KIC or EPIC number and has no products of its own.
    DownloadFailed
        If the search service does not answer as it should.
    """
    if target.files:
        return [
            {"product": str(f[0]), "bytes": f[1] or None, "md5": f[2] or None} for f in target.files
        ]
    if split_id(target.target_id) is None:
        raise BadInput(
            "bad-target-id",
            f"{target.target_id!r}: the archives know TIC, KIC and EPIC numbers, as TIC25155310",
        )
    note = cache_folder(target, settings) / f"products-{settings['family']}.json"
    try:
        known: list[dict[str, Any]] = json.loads(note.read_text())
        return known
    except (FileNotFoundError, ValueError):  # not asked yet, or the power failed meanwhile
        pass
    names = _search(target, settings)
    found = [{"product": name, "bytes": None, "md5": None} for name in sorted(set(names))]
    if found:  # what is not there yet may come
        write_note(note, found)
    return found


def _search(target: Target, settings: dict[str, Any]) -> list[str]:
    catalogue, number = split_id(target.target_id) or ("", 0)
    family = settings["family"]
    if catalogue == "KIC":
        wanted = "slc" if family == "short" else "llc"
        return [n for n in _listed(number, settings) if n.endswith(f"_{wanted}.fits")]
    names = _observed(_COLLECTION[catalogue], number, settings)
    if catalogue == "EPIC":
        wanted = "slc" if family == "short" else "llc"
        return [n for n in names if _K2.fullmatch(n) and n.endswith(f"_{wanted}.fits")]
    kind = _FAST if family == "spoc-20" else _SLOW
    return [n for n in names if (m := _TESS.fullmatch(n)) and m[6] == kind]


def _listed(number: int, settings: dict[str, Any]) -> list[str]:
    """Return the files in a Kepler star's folder of the bucket."""
    star = f"{number:09d}"
    prefix = f"kepler/public/lightcurves/{star[:4]}/{star}/"
    url = f"{settings['bases'][0]}/?list-type=2&prefix={quote(prefix, safe='')}"
    text = get_text(url, settings["timeout"])
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DownloadFailed("bad-answer", f"{url}: no XML listing: {error}") from None
    keys = (e.text or "" for e in root.iter() if e.tag.rpartition("}")[2] == "Key")
    return [k.rpartition("/")[2] for k in keys if _KEPLER.fullmatch(k.rpartition("/")[2])]


def _observed(collection: str, number: int, settings: dict[str, Any]) -> list[str]:
    """Return the files of a star's observations as MAST lists them."""
    filters = [
        {"paramName": "obs_collection", "values": [collection]},
        {"paramName": "dataproduct_type", "values": ["timeseries"]},
        {"paramName": "target_name", "values": [str(number)]},
    ]
    request = {
        "service": "Mast.Caom.Filtered",
        "format": "json",
        "pagesize": 5000,
        "page": 1,
        "params": {"columns": "target_name,dataURL,t_exptime", "filters": filters},
    }
    url = f"{settings['search']}/api/v0/invoke"
    text = get_text(url, settings["timeout"], data={"request": json.dumps(request)})
    try:
        answer = json.loads(text)
        rows = answer["data"]
    except (ValueError, KeyError, TypeError):
        raise DownloadFailed("bad-answer", f"{url}: no JSON with data: {text[:80]!r}") from None
    if answer.get("status") not in ("COMPLETE", None):
        raise DownloadFailed("bad-answer", f"{url}: status {answer.get('status')!r}")
    return [str(r["dataURL"]).rpartition("/")[2] for r in rows if r.get("dataURL")]


def cache_folder(target: Target, settings: dict[str, Any]) -> Path:
    """Return the folder of a target in the cache; made if it is not there."""
    catalogue, _ = split_id(target.target_id) or ("other", 0)
    folder = Path(settings["cache"]) / catalogue / safe_key(target.target_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_product(
    product: dict[str, Any], folder: Path, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return name, size and checksum of a product, downloaded unless the cache has it whole.

    Raises
    ------
    NotThere
        If no base has it.
    DownloadFailed
        If one of them may have it.
    """
    name = safe_key(product["product"].rpartition("/")[2])
    path, note = folder / name, folder / f"{name}.json"
    with _alone(folder):
        if (known := _cached(path, note)) is not None:
            return known
        about = _download_any(product, path, settings)
        write_note(note, about)
        return about


def _download_any(product: dict[str, Any], path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    last: Exception | None = None
    check = check_fits if path.name.endswith(".fits") else None
    for url in urls_of(product["product"], settings["bases"]):
        try:
            return download(
                url,
                path,
                timeout=settings["timeout"],
                nbytes=product["bytes"],
                md5=product["md5"],
                check=check,
            )
        except NotThere as error:
            last = last or error
        except DownloadFailed as error:
            last = error
            if error.retry_after is not None:
                break  # it is there, and asks for patience
    assert last is not None
    raise last


def _cached(path: Path, note: Path) -> dict[str, Any] | None:
    """Return what is known of a cached file, if it still is what was downloaded."""
    try:
        about: dict[str, Any] = json.loads(note.read_text())
        if path.stat().st_size != about["bytes"]:
            return None
        if path.name.endswith(".fits"):
            check_fits(path, path.name)
    except (OSError, ValueError, KeyError, Unlike):
        return None
    return about


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other workers from the same target's files meanwhile."""
    with open(folder / ".lock", "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def link_or_copy(source: Path, target: Path) -> None:
    """Show a cached file in another folder without a second copy, where the disk lets it."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
