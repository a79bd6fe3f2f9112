"""From lists of SRA runs to an expression matrix: download, quantify, prove, merge.

``read_samples`` reads a list, ``index`` makes the index, ``plan`` looks up what is missing and
says what it will take, ``run`` does it, ``merge`` makes the matrix; ``status``, ``verify`` and
``adopt`` look at results on disk.
"""

from polytene.rnaseq.genes import gene_sums
from polytene.rnaseq.index import Index, index
from polytene.rnaseq.merge import merge
from polytene.rnaseq.plan import SamplePlan, plan
from polytene.rnaseq.results import adopt, status, verify
from polytene.rnaseq.run import reduction, run, stages
from polytene.rnaseq.samples import read_samples
from polytene.rnaseq.settings import Settings
from polytene.rnaseq.units import Sample

__all__ = [
    "Index",
    "Sample",
    "SamplePlan",
    "Settings",
    "adopt",
    "gene_sums",
    "index",
    "merge",
    "plan",
    "read_samples",
    "reduction",
    "run",
    "stages",
    "status",
    "verify",
]
