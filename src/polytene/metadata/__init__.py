"""All of the SRA's metadata as a knowledge base that can be asked.

``build`` turns a dump into tables, views and catalogs, ``update`` brings them up to date; ``open``
opens them for counts, cross-tabs and lists of samples.
"""

from polytene.metadata.build import build
from polytene.metadata.kb.base import KnowledgeBase, diff, open, verify  # noqa: A004 - the room's verbs
from polytene.metadata.kb.query import Runs
from polytene.metadata.overview import plan
from polytene.metadata.update import update

__all__ = ["KnowledgeBase", "Runs", "build", "diff", "open", "plan", "update", "verify"]
