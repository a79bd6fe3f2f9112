"""Chunk plans of genomes: balanced, cut between genes, run anywhere, put together exactly.

``plan_chunks`` cuts a genome; ``plan.map`` and ``composition`` run over the chunks on Dask,
``TaskGenerator`` writes task files for other schedulers, ``aggregate`` merges what they made.
"""

from polytene.formats.regions import Region, parse_region
from polytene.genome.annotation.inputs import annotation_inputs
from polytene.genome.annotation.result import Annotation
from polytene.genome.annotation.run import (
    annotation_plan,
    annotation_run,
    confidence,
    evidence,
    features,
    refine,
)
from polytene.genome.annotation.view import gene_svg
from polytene.genome.chunks import ChunkPlan, ChunkStrategy, GenomicChunk
from polytene.genome.composition.compose import composition, composition_plan
from polytene.genome.composition.files import write_composition
from polytene.genome.executor import ExecutorBackend, ParallelExecutor
from polytene.genome.genome import Genome, GenomeAccessor
from polytene.genome.guide import merge_overlapping_results
from polytene.genome.memory import (
    MemoryMonitor,
    MemoryStats,
    get_memory_stats,
    get_optimal_workers,
    track_memory,
)
from polytene.genome.merging.aggregate import aggregate
from polytene.genome.planning.nruns import n_runs
from polytene.genome.planning.plan import GenomeChunker, plan_chunks
from polytene.genome.planning.suggest import suggest_chunk_parameters
from polytene.genome.tasks.files import TaskFile, TaskGenerator
from polytene.genome.tasks.launch import generate_hypershell_command
from polytene.genome.tasks.slurm_env import (
    get_chunk_for_task,
    get_slurm_resources,
    get_slurm_task_id,
    is_slurm_job,
)
from polytene.genome.tasks.templates import format_command

suggest = suggest_chunk_parameters

__all__ = [
    "Annotation",
    "ChunkPlan",
    "ChunkStrategy",
    "ExecutorBackend",
    "Genome",
    "GenomeAccessor",
    "GenomeChunker",
    "GenomicChunk",
    "MemoryMonitor",
    "MemoryStats",
    "ParallelExecutor",
    "Region",
    "TaskFile",
    "TaskGenerator",
    "aggregate",
    "annotation_inputs",
    "annotation_plan",
    "annotation_run",
    "composition",
    "composition_plan",
    "confidence",
    "evidence",
    "features",
    "format_command",
    "gene_svg",
    "generate_hypershell_command",
    "get_chunk_for_task",
    "get_memory_stats",
    "get_optimal_workers",
    "get_slurm_resources",
    "get_slurm_task_id",
    "is_slurm_job",
    "merge_overlapping_results",
    "n_runs",
    "parse_region",
    "plan_chunks",
    "refine",
    "suggest",
    "suggest_chunk_parameters",
    "track_memory",
    "write_composition",
]
