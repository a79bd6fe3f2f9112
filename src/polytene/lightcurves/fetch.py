"""The stage that brings a target's files into the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from polytene.core.scratch import Folder, scratch
from polytene.core.stage import Partial, Stage
from polytene.exceptions import Rejected
from polytene.lightcurves.archive import cache_folder, fetch_product, link_or_copy, resolve
from polytene.lightcurves.download import NotThere
from polytene.lightcurves.sources import SLOT, Archive
from polytene.lightcurves.targets import Target


@dataclass(frozen=True)
class Fetch:
    """Fetch the files of a target.

    A callable and not a function with parameters, as neither the cache's place nor the mirror is
    part of what a run computes: it can be moved, or another mirror named, and the run goes on.
    """

    settings: dict[str, Any] = field(hash=False)
    __name__: ClassVar[str] = "fetch"

    def __call__(self, target: Target) -> Partial:
        """Return a folder of links to the cached files; an empty one if the archive has none.

        Raises
        ------
        BadInput
            ``bad-target-id``.
        DownloadError
            If trying again may help.
        """
        products = resolve(target, self.settings)
        cache, folder = cache_folder(target, self.settings), scratch()
        files, lost = [], []
        for product in products:
            try:
                about = fetch_product(product, cache, self.settings)
            except NotThere as error:
                lost.append(Rejected(product["product"], "not-at-archive", str(error)))
                continue
            link_or_copy(cache / about["name"], folder / about["name"])
            files.append({k: about[k] for k in ("name", "bytes", "sha256")})
        info = {"files": files, "lost": len(lost)}
        return Partial(Folder(folder, info), 0, sum(f["bytes"] for f in files), lost)


def fetch_stage(archive: Archive) -> Stage:
    """Return the stage; it holds one of the archive's connections while it runs."""
    return Stage(Fetch(archive.settings()), uses={SLOT: 1})
