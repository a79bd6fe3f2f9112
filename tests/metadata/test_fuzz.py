"""The scanner and expat read the same from whatever both take, and refuse the same."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from tests.metadata.mutations import damaged

from polytene.metadata.parser.parse import parse_bytes
from polytene.testing.dump import generated

CASES = int(os.environ.get("POLYTENE_FUZZ", "4000"))
SPICE = (
    b'<EXPERIMENT_SET xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    b'xsi:noNamespaceSchemaLocation="x.xsd"><EXPERIMENT alias="a&#10;b&lt;" accession="X1">'
    b"<TITLE> caf\xc3\xa9 &amp; \xf0\x9f\xa7\xac\r\nsecond </TITLE>"
    b"<DESIGN><SAMPLE_DESCRIPTOR><POOL>"
    b'<DEFAULT_MEMBER accession="S1"/><MEMBER accession="S2" proportion="0.5"/></POOL>'
    b"</SAMPLE_DESCRIPTOR><LIBRARY_DESCRIPTOR><LIBRARY_LAYOUT><PAIRED NOMINAL_LENGTH='1'\n\t"
    b"NOMINAL_SDEV='2'/></LIBRARY_LAYOUT></LIBRARY_DESCRIPTOR></DESIGN></EXPERIMENT></EXPERIMENT_SET>"
)


def same(data: bytes) -> tuple[bool, bool, bool]:
    """Whether both engines agree, whether the document was taken, and whether expat had to look."""
    slow, fast = parse_bytes(data, engine="python"), parse_bytes(data, engine="numba")
    names = ("field", "record", "ends", "text", "kind", "document")
    equal = all(np.array_equal(getattr(slow.events, n), getattr(fast.events, n)) for n in names)
    equal &= [r.reason for r in slow.refused] == [r.reason for r in fast.refused]
    return equal, not slow.refused, bool(fast.slow)


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_makes_the_engines_differ(seed):
    chance = random.Random(seed)
    pool = [d for s in generated(30, seed=seed) for d in s.documents.values() if len(d) < 8000]
    pool += [SPICE] * 20
    taken = scanned = 0
    for _ in range(CASES // 4):
        data = damaged(chance.choice(pool), chance)
        equal, good, slow = same(data)
        assert equal, data
        taken += good
        scanned += good and not slow
    assert taken > CASES // 40
    assert scanned > CASES // 60


def test_undamaged_documents_are_scanned_without_expat():
    documents = [d for s in generated(30) for d in s.documents.values()]
    assert [same(d) for d in [*documents, SPICE]] == [(True, True, False)] * (len(documents) + 1)


def test_the_real_records_are_read_alike(shared_data):
    folder = shared_data / "metadata"
    files = [*folder.glob("real/*"), *folder.glob("odd/*"), *folder.glob("dump_like/*/*")]
    assert len(files) > 60
    for path in files:
        assert same(path.read_bytes())[0], path
