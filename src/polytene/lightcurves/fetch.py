"""The stages that bring a target's files into the cache, and from there into a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import Rejected
from polytene.formats.remote import NotThere
from polytene.lightcurves.archive import cache_folder, fetch_product, link_or_copy, resolve
from polytene.lightcurves.sources import SLOT, Archive
from polytene.lightcurves.targets import Target


@dataclass(frozen=True)
class Fetch:
    """Bring the files of a target into the cache; the value says which they are.

    A callable and not a function with parameters, as neither the cache's place nor the mirror is
    part of what a run computes: it can be moved, or another mirror named, and the run goes on.
    """

    settings: dict[str, Any] = field(hash=False)
    __name__: ClassVar[str] = "fetch"

    def __call__(self, target: Target) -> Partial:
        """Return names, sizes and checksums; none if the archive has no file of the target.

        Raises
        ------
        BadInput
            ``bad-target-id``.
        DownloadFailed
            If trying again may help.
        """
        files, lost = self.files(target)
        return Partial({"files": files, "lost": len(lost)}, 0, _nbytes(files), lost)

    def files(self, target: Target) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Return what is known of each file in the cache, and the files that no base has."""
        products = resolve(target, self.settings)
        cache = cache_folder(target, self.settings)
        files, lost = [], []
        for product in products:
            try:
                about = fetch_product(product, cache, self.settings)
            except NotThere as error:
                lost.append(Rejected(product["product"], "not-at-archive", error.detail))
                continue
            files.append({k: about[k] for k in ("name", "bytes", "sha256")})
        return files, lost


@dataclass(frozen=True)
class FetchForRun(Fetch):
    """Bring the files of a target into the cache, and links to them into the run."""

    def __call__(self, target: Target) -> Partial:
        """Return the folder of links, with what :class:`Fetch` returns."""
        files, lost = self.files(target)
        cache, folder = cache_folder(target, self.settings), scratch()
        for file in files:
            link_or_copy(cache / file["name"], folder / file["name"])
        info = {"files": files, "lost": len(lost)}
        return Partial(Folder(folder, info), 0, _nbytes(files), lost)


def _nbytes(files: list[dict[str, Any]]) -> int:
    return sum(file["bytes"] for file in files)


def fetch_stage(archive: Archive, *, into_run: bool) -> Stage:
    """Return the stage; it holds one of the archive's connections while it runs."""
    kind = FetchForRun if into_run else Fetch
    return Stage(kind(archive.settings()), uses={SLOT: 1})
