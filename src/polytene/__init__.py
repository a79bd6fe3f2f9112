"""Lists of genome chunks, SRA samples, XML shards, codon batches or light curves to one result.

Everything is one line: inputs -> plan -> units -> stages -> parts -> reduced result.
"""

from polytene import config, exceptions
from polytene.clusters import cluster
from polytene.core.events import Begun, Ended, Event, Folding, Settled
from polytene.core.failure import Failure
from polytene.core.keys import safe_key
from polytene.core.outcome import Outcome
from polytene.core.plan import Plan, Unit
from polytene.core.reduce import Reduction
from polytene.core.run import run
from polytene.core.scratch import Folder, host_scratch, scratch
from polytene.core.stage import Partial, Stage
from polytene.core.versions import versions
from polytene.exceptions import BadInput, PolyteneError, Rejected

config.load()

__version__ = versions().get("polytene", "0")

__all__ = [
    "BadInput",
    "Begun",
    "Ended",
    "Event",
    "Failure",
    "Folder",
    "Folding",
    "Outcome",
    "Partial",
    "Plan",
    "PolyteneError",
    "Reduction",
    "Rejected",
    "Settled",
    "Stage",
    "Unit",
    "cluster",
    "exceptions",
    "host_scratch",
    "run",
    "safe_key",
    "scratch",
    "versions",
]
