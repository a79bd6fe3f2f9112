"""From runs to an expression matrix: python rnaseq_matrix.py [INDEX RUN_LIST]."""

import sys

from polytene import cluster, rnaseq, testing

if __name__ == "__main__":
    generated = testing.write_transcripts("generated.fa", 20)
    index, runs = sys.argv[1:] or ("generated.idx", testing.write_reads("reads", generated))
    local = {} if sys.argv[1:] else {"index": rnaseq.index(generated, index)}
    local |= {"local_dir": "reads"} if local else {"index": index}
    plan = rnaseq.plan(runs, out="work", downloads=5, quants=2, **local)
    with cluster("local", workers=2, threads=4) as client:
        print(rnaseq.run(plan, client=client))
        print(rnaseq.merge("work", client=client)["tpm"].to_pandas().head())
