"""The public names are pinned: one more or one less is a decision, not an accident."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

NAMES = {
    "polytene": [
        "BadInput", "Begun", "Ended", "Event", "Failure", "Folder", "Folding", "Outcome", "Partial",
        "Plan", "PolyteneError", "Reduction", "Rejected", "Settled", "Stage", "Unit", "cluster",
        "exceptions", "host_scratch", "run", "safe_key", "scratch", "versions",
    ],
    "polytene.codons": [
        "CODONS", "GENETIC_CODES", "Batch", "GeneticCode", "cai", "compare", "count", "count_array",
        "cps", "enc", "gc3s", "genetic_code", "ingest", "ingest_plan", "pairs", "pairs_plan",
        "plan", "read_cut", "read_usage", "rechunk", "rechunk_plan", "recode", "reduction", "rscu",
        "stages", "to_cut", "to_long", "to_wide", "write",
    ],
    "polytene.genome": [
        "Annotation", "ChunkPlan", "ChunkStrategy", "ExecutorBackend", "Genome",
        "GenomeAccessor", "GenomeChunker", "GenomicChunk", "MemoryMonitor", "MemoryStats",
        "ParallelExecutor", "Region", "TaskFile", "TaskGenerator", "aggregate",
        "annotation_inputs", "annotation_plan", "annotation_run", "composition",
        "composition_plan", "confidence", "evidence", "features", "format_command",
        "gene_svg", "generate_hypershell_command", "get_chunk_for_task", "get_memory_stats",
        "get_optimal_workers", "get_slurm_resources", "get_slurm_task_id", "is_slurm_job",
        "merge_overlapping_results", "n_runs", "parse_region", "plan_chunks", "refine",
        "suggest", "suggest_chunk_parameters", "track_memory", "write_composition",
    ],
    "polytene.lightcurves": [
        "Archive", "BLSResult", "CheckpointManager", "Features", "LightCurve", "LocalFiles",
        "Target", "bls", "extract", "extract_features_batch_parallel", "features", "fetch",
        "merge", "optimal_periods", "orbital_durations", "plan", "read", "read_features",
        "reduction", "stages", "stitch", "tls", "to_xarray", "uniform_periods", "write",
    ],
    "polytene.metadata": [
        "KnowledgeBase", "Runs", "build", "diff", "open", "plan", "update", "verify",
    ],
    "polytene.rnaseq": [
        "Index", "Sample", "SamplePlan", "Settings", "adopt", "gene_sums", "index", "merge", "plan",
        "read_samples", "reduction", "run", "stages", "status", "verify",
    ],
    "polytene.testing": [
        "Archive", "Assembly", "Generated", "Star", "genomes", "stars", "write_archive",
        "write_assembly", "write_dump", "write_fasta", "write_genbank", "write_package_set",
        "write_reads", "write_set", "write_stars", "write_transcripts",
    ],
}  # fmt: skip
PAIRS = [(module, name) for module, names in NAMES.items() for name in names]


def order(name: str) -> tuple[int, str]:
    """Constants, classes, functions; each in alphabetical order, as isort has it."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("module", NAMES)
def test_the_names_are_these(module):
    assert importlib.import_module(module).__all__ == NAMES[module]
    assert sorted(NAMES[module], key=order) == NAMES[module]


@pytest.mark.parametrize(("module", "name"), PAIRS)
def test_every_public_object_is_there_and_explained(module, name):
    found = getattr(importlib.import_module(module), name)
    if not name.isupper():
        assert inspect.getdoc(found)
    if inspect.isclass(found):
        for method, value in vars(found).items():
            if not method.startswith("_") and inspect.isfunction(value):
                assert inspect.getdoc(value), f"{name}.{method}"


def test_importing_is_light():
    code = "import sys, polytene; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {"numba", "distributed", "bokeh", "xarray", "dask_jobqueue"} & loaded


def test_importing_takes_less_than_a_second():
    code = "import resource, polytene; print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1


def test_errors_form_one_tree_that_its_docstring_draws():
    from polytene import exceptions

    errors = [v for v in vars(exceptions).values()
              if inspect.isclass(v) and issubclass(v, Exception)]  # fmt: skip
    assert all(issubclass(e, exceptions.PolyteneError) for e in errors)
    assert all(f"{e.__name__} " in exceptions.__doc__ or e is exceptions.PolyteneError
               for e in errors)  # fmt: skip
