"""The original's way: PySpark, mapInPandas, one row per batch of codons."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd


class Counted(NamedTuple):
    """Codons that were counted, and how long it took after the session was up."""

    counts: int
    seconds: float


def extract(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the codons of whole sequences, as the original's unbatched code does."""
    for batch in batches:
        for sequence in batch["sequence"]:
            text = sequence.upper()
            codons = [text[i : i + 3] for i in range(0, len(text) // 3 * 3, 3)]
            good = [c for c in codons if all(base in "ATGC" for base in c)]
            yield pd.DataFrame({"codon": good})


def spark_counts(path: str) -> Counted:
    """Count the codons of a Parquet file with two local cores."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "50")
        .getOrCreate()
    )
    try:
        spark.sparkContext.setLogLevel("ERROR")
        spark.range(1).count()
        start = time.perf_counter()
        rows = spark.read.parquet(path).select("sequence").mapInPandas(extract, "codon string")
        counts = rows.groupBy("codon").count().collect()
        return Counted(sum(r["count"] for r in counts), time.perf_counter() - start)
    finally:
        spark.stop()
