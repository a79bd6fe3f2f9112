from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from Bio.Data import CodonTable
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st

from polytene.codons.code import CODONS, GENETIC_CODES, GeneticCode, genetic_code
from polytene.exceptions import UsageError

CODES = pytest.mark.parametrize("code", GENETIC_CODES.values(), ids=lambda code: str(code.id))
CHANGED_AFTER_4_2 = {3: {"GTG": "M"}, **{number: {"CTG": "L"} for number in (27, 28, 29, 30)}}


def read_gc_prt(path: Path) -> dict[int, tuple[str, str, str]]:
    """Name, ncbieaa and sncbieaa of each code, with all white space of names as one space."""
    text = re.sub(r"^ *--.*\n", "", path.read_text(), flags=re.MULTILINE)
    pattern = r'name\s+"([^"]+)"[^{}]*?id (\d+) ,\s+ncbieaa\s+"(.{64})",\s+sncbieaa\s+"(.{64})"'
    found = re.findall(pattern, text)
    return {int(i): (" ".join(name.split()), aas, marks) for name, i, aas, marks in found}


def codons_marked(marks: str, mark: str) -> set[str]:
    return {codon for codon, m in zip(CODONS, marks, strict=True) if m == mark}


def test_codons_are_in_the_order_of_ncbi() -> None:
    assert len(set(CODONS)) == 64
    assert CODONS[:5] == ("TTT", "TTC", "TTA", "TTG", "TCT")
    assert CODONS[-1] == "GGG"


def test_all_codes_of_ncbi_are_there() -> None:
    assert list(GENETIC_CODES) == [*range(1, 7), *range(9, 17), *range(21, 34)]
    assert list(GENETIC_CODES) == sorted(CodonTable.unambiguous_dna_by_id)


@CODES
def test_codes_match_biopython(code: GeneticCode) -> None:
    table = CodonTable.unambiguous_dna_by_id[code.id]
    expected = "".join(table.forward_table.get(codon, "*") for codon in CODONS)
    assert code.amino_acids == expected
    assert code.starts == set(table.start_codons)
    assert code.stops == set(table.stop_codons)


def test_codes_match_gc_prt_but_for_the_changes_since_its_version(shared_data: Path) -> None:
    published = read_gc_prt(shared_data / "codons" / "tables" / "ncbi_gc.prt")
    assert sorted(published) == [number for number in GENETIC_CODES if number < 32]
    for number, (name, amino_acids, marks) in published.items():
        code = genetic_code(number)
        changed = CHANGED_AFTER_4_2.get(number, {})
        new_starts = {codon for codon, change in changed.items() if change == "M"}
        assert code.starts == codons_marked(marks, "M") | new_starts
        assert code.stops == codons_marked(marks, "*")
        differing = {
            codon: new
            for codon, old, new in zip(CODONS, amino_acids, code.amino_acids, strict=True)
            if old != new
        }
        assert differing == {codon: aa for codon, aa in changed.items() if codon not in new_starts}
        assert code.name == ("Rhabdopleuridae Mitochondrial" if number == 24 else name)


@CODES
def test_families_split_the_sense_codons(code: GeneticCode) -> None:
    members = np.concatenate(list(code.families.values()))
    sense = [i for i, aa in enumerate(code.amino_acids) if aa != "*"]
    assert sorted(members.tolist()) == sense
    for letter, codons in code.families.items():
        assert {code.amino_acids[i] for i in codons} == {letter}
        assert (code.family_size[codons] == len(codons)).all()
    assert code.family_size.dtype == np.int64
    assert code.family_size.shape == (64,)
    assert [i for i in range(64) if code.family_size[i] == 0] == sorted(set(range(64)) - set(sense))


@pytest.mark.parametrize(
    ("number", "both"), [(27, {"TGA"}), (28, {"TAA", "TAG", "TGA"}), (31, {"TAA", "TAG"})]
)
def test_codons_that_are_stop_and_sense(number: int, both: set[str]) -> None:
    code = genetic_code(number)
    assert {c for c in code.stops if code.amino_acids[CODONS.index(c)] != "*"} == both
    assert all(code.family_size[CODONS.index(codon)] > 0 for codon in both)


def test_only_three_codes_have_codons_that_are_stop_and_sense() -> None:
    mixed = {
        code.id
        for code in GENETIC_CODES.values()
        if code.stops != codons_marked(code.amino_acids, "*")
    }
    assert mixed == {27, 28, 31}


def test_met_and_trp_of_vertebrate_mitochondria_have_synonyms() -> None:
    families = genetic_code(2).families
    assert [CODONS[i] for i in families["M"]] == ["ATA", "ATG"]
    assert [CODONS[i] for i in families["W"]] == ["TGA", "TGG"]


@pytest.mark.filterwarnings("ignore:This table contains:Bio.BiopythonWarning")
@CODES
@given(sequence=st.text("ACGTUacgtu", max_size=60))
def test_translate_matches_biopython(code: GeneticCode, sequence: str) -> None:
    whole = sequence[: len(sequence) // 3 * 3]
    expected = str(Seq(whole.upper().replace("U", "T")).translate(table=code.id))
    assert code.translate(sequence) == expected
    assert code.translate(sequence.encode()) == expected


@given(sequence=st.binary(max_size=60))
def test_translate_takes_any_bytes(sequence: bytes) -> None:
    code = genetic_code(1)
    codons = [sequence[i : i + 3].upper().replace(b"U", b"T") for i in range(0, len(sequence), 3)]
    known = {c.encode(): aa for c, aa in zip(CODONS, code.amino_acids, strict=True)}
    expected = "".join(known.get(codon, "X") for codon in codons if len(codon) == 3)
    assert code.translate(sequence) == expected


def test_translate_keeps_the_frame_after_a_letter_that_is_not_ascii() -> None:
    assert genetic_code(1).translate("Aé€ATG") == "XM"


@pytest.mark.parametrize("number", [0, 7, 8, 17, 34, -1])
def test_unknown_code_lists_the_known_ones(number: int) -> None:
    with pytest.raises(UsageError, match=rf"no genetic code {number}; .* 6, 9, .* 33$"):
        genetic_code(number)


def test_arrays_of_a_shared_code_cannot_be_changed() -> None:
    code = genetic_code(1)
    with pytest.raises(ValueError, match="read-only"):
        code.family_size[0] = 9
    with pytest.raises(ValueError, match="read-only"):
        code.families["F"][0] = 9


def test_codes_can_be_sent_to_workers() -> None:
    code = genetic_code(11)
    assert code.families
    assert pickle.loads(pickle.dumps(code)) == code
