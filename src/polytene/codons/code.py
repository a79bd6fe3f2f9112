"""The genetic codes of the NCBI and the order of the 64 codons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from polytene.exceptions import UsageError

CODONS: tuple[str, ...] = tuple(map("".join, product("TCAG", repeat=3)))

# NCBI, "The Genetic Codes", https://ftp.ncbi.nih.gov/entrez/misc/data/gc.prt, version 4.6 (public
# domain): id and name, then for each codon its amino acid (ncbieaa) and start or stop (sncbieaa).
_NCBI = """\
1 Standard
FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
---M------**--*----M---------------M----------------------------
2 Vertebrate Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSS**VVVVAAAADDEEGGGG
----------**--------------------MMMM----------**---M------------
3 Yeast Mitochondrial
FFLLSSSSYY**CCWWTTTTPPPPHHQQRRRRIIMMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**----------------------MM---------------M------------
4 Mold Mitochondrial; Protozoan Mitochondrial; Coelenterate Mitochondrial; Mycoplasma; Spiroplasma
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--MM------**-------M------------MMMM---------------M------------
5 Invertebrate Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSSSSVVVVAAAADDEEGGGG
---M------**--------------------MMMM---------------M------------
6 Ciliate Nuclear; Dasycladacean Nuclear; Hexamita Nuclear
FFLLSSSSYYQQCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--------------*--------------------M----------------------------
9 Echinoderm Mitochondrial; Flatworm Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNNKSSSSVVVVAAAADDEEGGGG
----------**-----------------------M---------------M------------
10 Euplotid Nuclear
FFLLSSSSYY**CCCWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**-----------------------M----------------------------
11 Bacterial, Archaeal and Plant Plastid
FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
---M------**--*----M------------MMMM---------------M------------
12 Alternative Yeast Nuclear
FFLLSSSSYY**CC*WLLLSPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**--*----M---------------M----------------------------
13 Ascidian Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSSGGVVVVAAAADDEEGGGG
---M------**----------------------MM---------------M------------
14 Alternative Flatworm Mitochondrial
FFLLSSSSYYY*CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNNKSSSSVVVVAAAADDEEGGGG
-----------*-----------------------M----------------------------
15 Blepharisma Macronuclear
FFLLSSSSYY*QCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------*---*--------------------M----------------------------
16 Chlorophycean Mitochondrial
FFLLSSSSYY*LCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------*---*--------------------M----------------------------
21 Trematode Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNNKSSSSVVVVAAAADDEEGGGG
----------**-----------------------M---------------M------------
22 Scenedesmus obliquus Mitochondrial
FFLLSS*SYY*LCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
------*---*---*--------------------M----------------------------
23 Thraustochytrium Mitochondrial
FF*LSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--*-------**--*-----------------M--M---------------M------------
24 Rhabdopleuridae Mitochondrial
FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSSKVVVVAAAADDEEGGGG
---M------**-------M---------------M---------------M------------
25 Candidate Division SR1 and Gracilibacteria
FFLLSSSSYY**CCGWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
---M------**-----------------------M---------------M------------
26 Pachysolen tannophilus Nuclear
FFLLSSSSYY**CC*WLLLAPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**--*----M---------------M----------------------------
27 Karyorelict Nuclear
FFLLSSSSYYQQCCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--------------*--------------------M----------------------------
28 Condylostoma Nuclear
FFLLSSSSYYQQCCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**--*--------------------M----------------------------
29 Mesodinium Nuclear
FFLLSSSSYYYYCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--------------*--------------------M----------------------------
30 Peritrich Nuclear
FFLLSSSSYYEECC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
--------------*--------------------M----------------------------
31 Blastocrithidia Nuclear
FFLLSSSSYYEECCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
----------**-----------------------M----------------------------
32 Balanophoraceae Plastid
FFLLSSSSYY*WCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG
---M------*---*----M------------MMMM---------------M------------
33 Cephalodiscidae Mitochondrial
FFLLSSSSYYY*CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSSKVVVVAAAADDEEGGGG
---M-------*-------M---------------M---------------M------------
"""

_UNKNOWN = 64


def _base_ranks() -> NDArray[np.uint8]:
    ranks = np.full(256, 4, np.uint8)
    for rank, letters in enumerate((b"TUtu", b"Cc", b"Aa", b"Gg")):
        ranks[list(letters)] = rank
    return ranks


_BASE_RANKS = _base_ranks()


@dataclass(frozen=True)
class GeneticCode:
    """One genetic code: what each codon means to a ribosome.

    Parameters
    ----------
    id
        Number of the code at the NCBI, the ``transl_table`` of GenBank.
    name
        Name of the code at the NCBI; several names are joined by ``"; "``.
    amino_acids
        64 letters, the amino acid of each codon in the order of `CODONS`, ``*`` for a stop.
    starts
        Codons that may start a translation.
    stops
        Codons that may end a translation. In the codes 27, 28 and 31 the context decides whether
        some of them end it or stand for an amino acid; `amino_acids` then has the amino acid, and
        `families` and `family_size` count them as sense codons.

    Examples
    --------
    >>> karyorelict = genetic_code(27)
    >>> sorted(karyorelict.stops), karyorelict.translate("TGA")
    (['TGA'], 'W')
    """

    id: int
    name: str
    amino_acids: str
    starts: frozenset[str]
    stops: frozenset[str]

    @cached_property
    def families(self) -> Mapping[str, NDArray[np.int64]]:
        """The synonymous codons of each amino acid, as int64 positions in `CODONS`.

        Examples
        --------
        >>> [CODONS[i] for i in genetic_code(2).families["W"]]
        ['TGA', 'TGG']
        """
        letters = sorted(set(self.amino_acids) - {"*"})
        return {letter: self._positions(letter) for letter in letters}

    @cached_property
    def family_size(self) -> NDArray[np.int64]:
        """How many codons share the amino acid of each codon, int64 of shape ``(64,)``.

        It is 0 for a codon that is only a stop, and 1 for one without synonyms.

        Examples
        --------
        >>> genetic_code(1).family_size[[CODONS.index(c) for c in ("ATG", "CTG", "TAA")]].tolist()
        [1, 6, 0]
        """
        sizes = np.zeros(64, np.int64)
        for codons in self.families.values():
            sizes[codons] = codons.size
        sizes.flags.writeable = False
        return sizes

    def translate(self, sequence: bytes | str) -> str:
        """Translate a coding sequence from its first base.

        Parameters
        ----------
        sequence
            Bases in upper or lower case, U being read as T.

        Returns
        -------
        str
            One letter per codon: ``*`` for a stop, ``X`` for a codon with a base other than A, C,
            G, T or U. Start codons are not special, and one or two bases left at the end are
            ignored.

        Examples
        --------
        >>> genetic_code(1).translate("AUGgaaNAATGATT")
        'MEX*'
        """
        data = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
        ranks = _BASE_RANKS[np.frombuffer(data, np.uint8, len(data) // 3 * 3)].reshape(-1, 3)
        codons = ranks @ np.array([16, 4, 1], np.uint8)
        codons[(ranks == 4).any(axis=1)] = _UNKNOWN
        letters = np.frombuffer(f"{self.amino_acids}X".encode(), np.uint8)
        return letters[codons].tobytes().decode()

    def _positions(self, letter: str) -> NDArray[np.int64]:
        positions = np.array([i for i, aa in enumerate(self.amino_acids) if aa == letter], np.int64)
        positions.flags.writeable = False
        return positions


def _read_codes(text: str) -> Iterator[GeneticCode]:
    lines = iter(text.splitlines())
    for title, amino_acids, marks in zip(lines, lines, lines, strict=True):
        number, name = title.split(maxsplit=1)
        starts, stops = (
            frozenset(codon for codon, m in zip(CODONS, marks, strict=True) if m == mark)
            for mark in "M*"
        )
        yield GeneticCode(int(number), name, amino_acids, starts, stops)


GENETIC_CODES: Mapping[int, GeneticCode] = MappingProxyType(
    {code.id: code for code in _read_codes(_NCBI)}
)


def genetic_code(id: int) -> GeneticCode:  # noqa: A002
    """Look up a genetic code of the NCBI.

    Parameters
    ----------
    id
        Number of the code, the ``transl_table`` of GenBank; for example 1 for the standard code, 2
        for mitochondria of vertebrates, 11 for bacteria and plastids.

    Returns
    -------
    GeneticCode
        The code.

    Raises
    ------
    UsageError
        If the NCBI has no code of this number.

    Examples
    --------
    >>> genetic_code(5).name
    'Invertebrate Mitochondrial'
    """
    try:
        return GENETIC_CODES[id]
    except KeyError:
        known = ", ".join(map(str, GENETIC_CODES))
        raise UsageError(f"there is no genetic code {id!r}; the NCBI has {known}") from None
