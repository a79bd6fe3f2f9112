"""From a dump of SRA metadata to a list of samples: python metadata_samples.py [dump.tar.gz]."""

import sys

from polytene import cluster, metadata, testing

if __name__ == "__main__":
    dump = sys.argv[1] if len(sys.argv) > 1 else testing.write_archive("generated.tar.gz")
    with cluster("local", workers=2) as client:
        outcome = metadata.build(dump, "kb", client=client)
    kb = metadata.open("kb")
    print(kb.counts("organism").to_pandas().to_string(index=False))
    ants = kb.runs(organism="Pogonomyrmex barbatus", strategy="RNA-Seq", layout="PAIRED")
    print(f"{ants.sample_list('samples.tsv')} of {kb.runs().count()} runs: samples.tsv; {outcome}")
