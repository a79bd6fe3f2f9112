"""Compile the kernels of the room ahead of the first build."""

from __future__ import annotations

from polytene.metadata.exchange import bucket_of
from polytene.metadata.parser.parse import parse_bytes
from polytene.metadata.parser.tables import to_tables
from polytene.metadata.sources.tar import TarReader


def warm() -> None:
    """Compile everything, or load it from the cache."""
    parsed = parse_bytes(b'<RUN_SET><RUN accession="SRR1" size="1"/></RUN_SET>', engine="numba")
    tables = to_tables(parsed.events, [None])
    bucket_of(tables["run"].column("accession"))
    list(TarReader(iter([bytes(1024)]), "nothing", 1).members())
