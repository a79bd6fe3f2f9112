"""Codon usage by organism, on worker processes: python codon_usage.py [genomes.gb ...]."""

import sys

from polytene import cluster, codons, testing

if __name__ == "__main__":
    files = sys.argv[1:] or [testing.write_genbank("generated.gb")]
    with cluster("local", workers=2) as client:
        codons.ingest(files, "set", client=client)
        usage = codons.count("set", mode="cds", by="organism", run_dir="usage.run", client=client)
    table = codons.to_wide(usage.result, with_rscu=True)
    codons.write(table, "usage.parquet", usage.result.attrs)
    print(usage)
