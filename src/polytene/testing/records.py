"""Generated SRA records, in the shape and indentation of real ones."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

ORGANISMS = (
    ("Homo sapiens", 9606),
    ("Mus musculus", 10090),
    ("Pogonomyrmex barbatus", 144034),
    ("Arabidopsis thaliana", 3702),
    ("human gut metagenome", 408170),
    ("Severe acute respiratory syndrome coronavirus 2", 2697049),
)
LIBRARIES = (
    ("RNA-Seq", "TRANSCRIPTOMIC", "cDNA", "PAIRED"),
    ("WGS", "GENOMIC", "RANDOM", "PAIRED"),
    ("AMPLICON", "METAGENOMIC", "PCR", "SINGLE"),
    ("ChIP-Seq", "GENOMIC", "ChIP", "SINGLE"),
    ("OTHER", "OTHER", "unspecified", "SINGLE"),
)
INSTRUMENTS = ("Illumina HiSeq 2500", "NextSeq 550", "Illumina NovaSeq 6000")
TISSUES = ("brain", "liver", "whole body", "leaf", "gut")
_WORDS = """samples were ground in liquid nitrogen and total RNA extracted with column purification
libraries prepared following the manufacturer protocol with size selection of fragments reads
trimmed for adapters & low quality; clusters generated at 8 pM < 12 cycles of PCR"""
WORDS = _WORDS.split()

EXPERIMENT = """  <EXPERIMENT alias="GSM{number}" accession="{accession}" center_name="GEO">
    <IDENTIFIERS>
      <PRIMARY_ID>{accession}</PRIMARY_ID>
      <SUBMITTER_ID namespace="GEO">GSM{number}</SUBMITTER_ID>
    </IDENTIFIERS>
    <TITLE>{title}</TITLE>
    <STUDY_REF accession="{study}" refname="GSE{number}">
      <IDENTIFIERS>
        <PRIMARY_ID>{study}</PRIMARY_ID>
      </IDENTIFIERS>
    </STUDY_REF>
    <DESIGN>
      <DESIGN_DESCRIPTION />
      <SAMPLE_DESCRIPTOR accession="{sample}">
        <IDENTIFIERS>
          <PRIMARY_ID>{sample}</PRIMARY_ID>
          <EXTERNAL_ID namespace="GEO">GSM{number}</EXTERNAL_ID>
        </IDENTIFIERS>
      </SAMPLE_DESCRIPTOR>
      <LIBRARY_DESCRIPTOR>
        <LIBRARY_NAME>lib {number}</LIBRARY_NAME>
        <LIBRARY_STRATEGY>{strategy}</LIBRARY_STRATEGY>
        <LIBRARY_SOURCE>{source}</LIBRARY_SOURCE>
        <LIBRARY_SELECTION>{selection}</LIBRARY_SELECTION>
        <LIBRARY_LAYOUT>{layout}</LIBRARY_LAYOUT>
{protocol}      </LIBRARY_DESCRIPTOR>
{spots}    </DESIGN>
    <PLATFORM>
      <ILLUMINA>
        <INSTRUMENT_MODEL>{instrument}</INSTRUMENT_MODEL>
      </ILLUMINA>
    </PLATFORM>
    <EXPERIMENT_LINKS>
      <EXPERIMENT_LINK>
        <XREF_LINK>
          <DB>gds</DB>
          <ID>30{number}</ID>
          <LABEL>GSM{number}</LABEL>
        </XREF_LINK>
      </EXPERIMENT_LINK>
    </EXPERIMENT_LINKS>
    <EXPERIMENT_ATTRIBUTES>
      <EXPERIMENT_ATTRIBUTE>
        <TAG>GEO Accession</TAG>
        <VALUE>GSM{number}</VALUE>
      </EXPERIMENT_ATTRIBUTE>
    </EXPERIMENT_ATTRIBUTES>
  </EXPERIMENT>
"""
PROTOCOL = """        <LIBRARY_CONSTRUCTION_PROTOCOL>{}</LIBRARY_CONSTRUCTION_PROTOCOL>
"""
SPOTS = """      <SPOT_DESCRIPTOR>
        <SPOT_DECODE_SPEC>
          <SPOT_LENGTH>150</SPOT_LENGTH>
          <READ_SPEC>
            <READ_INDEX>0</READ_INDEX>
            <READ_CLASS>Application Read</READ_CLASS>
            <READ_TYPE>Forward</READ_TYPE>
            <BASE_COORD>1</BASE_COORD>
          </READ_SPEC>
        </SPOT_DECODE_SPEC>
      </SPOT_DESCRIPTOR>
"""
SAMPLE = """  <SAMPLE alias="S {number}" accession="{accession}">
    <IDENTIFIERS>
      <PRIMARY_ID>{accession}</PRIMARY_ID>
      <EXTERNAL_ID namespace="BioSample">SAMN{number}</EXTERNAL_ID>
      <EXTERNAL_ID namespace="GEO">GSM{number}</EXTERNAL_ID>
    </IDENTIFIERS>
    <TITLE>{title}</TITLE>
    <SAMPLE_NAME>
      <TAXON_ID>{taxid}</TAXON_ID>
      <SCIENTIFIC_NAME>{organism}</SCIENTIFIC_NAME>
    </SAMPLE_NAME>
    <SAMPLE_LINKS>
      <SAMPLE_LINK>
        <XREF_LINK>
          <DB>bioproject</DB>
          <ID>{number}</ID>
          <LABEL>PRJNA{number}</LABEL>
        </XREF_LINK>
      </SAMPLE_LINK>
    </SAMPLE_LINKS>
    <SAMPLE_ATTRIBUTES>
{attributes}    </SAMPLE_ATTRIBUTES>
  </SAMPLE>
"""
ATTRIBUTE = """      <SAMPLE_ATTRIBUTE>
        <TAG>{}</TAG>
        <VALUE>{}</VALUE>
      </SAMPLE_ATTRIBUTE>
"""
RUN = """  <RUN alias="GSM{number}_r1" accession="{accession}" center_name="GEO">
    <IDENTIFIERS>
      <PRIMARY_ID>{accession}</PRIMARY_ID>
      <SUBMITTER_ID namespace="GEO">GSM{number}_r1</SUBMITTER_ID>
    </IDENTIFIERS>
    <EXPERIMENT_REF accession="{experiment}" refname="GSM{number}">
      <IDENTIFIERS>
        <PRIMARY_ID>{experiment}</PRIMARY_ID>
      </IDENTIFIERS>
    </EXPERIMENT_REF>
  </RUN>
"""
STUDY = """  <STUDY accession="{accession}" center_name="GEO" alias="GSE{number}">
    <IDENTIFIERS>
      <PRIMARY_ID>{accession}</PRIMARY_ID>
      <EXTERNAL_ID namespace="BioProject" label="primary">PRJNA{number}</EXTERNAL_ID>
    </IDENTIFIERS>
    <DESCRIPTOR>
      <STUDY_TITLE>{title}</STUDY_TITLE>
      <STUDY_TYPE existing_study_type="Transcriptome Analysis" />
      <STUDY_ABSTRACT>{abstract}</STUDY_ABSTRACT>
      <CENTER_PROJECT_NAME>GSE{number}</CENTER_PROJECT_NAME>
    </DESCRIPTOR>
    <STUDY_LINKS>
      <STUDY_LINK>
        <XREF_LINK>
          <DB>pubmed</DB>
          <ID>{number}</ID>
        </XREF_LINK>
      </STUDY_LINK>
    </STUDY_LINKS>
  </STUDY>
"""


def text(random: Any, words: int) -> str:
    """Return some words, with characters that XML has to escape."""
    return escape(" ".join(WORDS[w] for w in random.integers(len(WORDS), size=words)))


def experiment(
    accession: str,
    study: str,
    sample: str,
    library: tuple[str, str, str, str],
    number: str,
    random: Any,
) -> str:
    """Return an experiment; one in thirty has no title, one in forty no layout."""
    strategy, source, selection, layout = library
    chance = random.random(5)
    length = ' NOMINAL_LENGTH="250" NOMINAL_SDEV="2.5E1"' if layout == "PAIRED" else ""
    shown = f"\n          <{layout}{length} />\n        "
    words = int(random.integers(10, 90))
    return EXPERIMENT.format(
        accession=accession,
        study=study,
        sample=sample,
        number=number,
        title="" if chance[0] < 1 / 30 else f"GSM{number}: {text(random, 6)}; {strategy}",
        strategy=strategy,
        source=source,
        selection=selection,
        layout="" if chance[1] < 1 / 40 else shown,
        protocol=PROTOCOL.format(text(random, words)) if chance[3] < 0.5 else "",
        spots=SPOTS if chance[4] < 0.3 else "",
        instrument=INSTRUMENTS[int(chance[2] * len(INSTRUMENTS))],
    )


def sample(accession: str, organism: tuple[str, int], number: str, random: Any) -> str:
    """Return a sample with its tissue, age and sex."""
    tissue = TISSUES[int(random.integers(len(TISSUES)))]
    pairs = [("source_name", tissue), ("tissue", tissue), ("age", f"{random.integers(90)} d")]
    pairs += [("sex", "female"), ("strain", f"line {random.integers(9)}")]
    return SAMPLE.format(
        accession=accession,
        number=number,
        organism=organism[0],
        taxid=organism[1],
        title=text(random, 5),
        attributes="".join(ATTRIBUTE.format(t, v) for t, v in pairs),
    )


def run(accession: str, experiment: str, number: str) -> str:
    """Return a run; as in the dump, it tells neither spots nor bases."""
    return RUN.format(accession=accession, experiment=experiment, number=number)


def study(accession: str, random: Any) -> str:
    """Return a study."""
    title, abstract = text(random, 12), text(random, 120)
    number = accession[3:]
    return STUDY.format(accession=accession, number=number, title=title, abstract=abstract)
