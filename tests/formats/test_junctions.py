from __future__ import annotations

import gzip

from polytene.formats.junctions import Junction, read_junctions


def test_star_and_bed_are_told_apart(tmp_path):
    star = "chr1\t14624\t14668\t2\t2\t1\t7\t3\t30\nchr1\t100\t200\t0\t0\t0\t1\t0\t9\n"
    path = tmp_path / "SJ.out.tab.gz"
    path.write_bytes(gzip.compress(star.encode()))
    assert list(read_junctions(path)) == [
        Junction("chr1", 14623, 14668, "-", 7),
        Junction("chr1", 99, 200, ".", 1),
    ]
    bed = "track name=x\nchr1\t10\t90\tJ1\t5\t+\nchr1\t10\t90\n"
    bed += "chr2\t100\t300\tJ2\t12\t-\t100\t300\t0\t3\t20,10,30\t0,50,170\n"
    (tmp_path / "j.bed").write_text(bed)
    assert list(read_junctions(tmp_path / "j.bed")) == [
        Junction("chr1", 10, 90, "+", 5),
        Junction("chr1", 10, 90, ".", 1),
        Junction("chr2", 120, 150, "-", 12),
        Junction("chr2", 160, 270, "-", 12),
    ]
