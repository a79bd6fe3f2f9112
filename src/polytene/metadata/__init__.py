"""All of the SRA's metadata as a knowledge base that can be asked.

``build`` turns a dump into tables, views and catalogs; ``open`` opens them for counts, cross-tabs
and lists of samples.
"""

from polytene.metadata.base import KnowledgeBase, open
from polytene.metadata.build import build
from polytene.metadata.update import update

__all__ = ["KnowledgeBase", "build", "open", "update"]
