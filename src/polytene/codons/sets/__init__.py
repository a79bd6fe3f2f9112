"""Sets of sequences: files read, checked and written as Parquet."""
