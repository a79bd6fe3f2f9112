"""From a dump of SRA metadata to an expression matrix, on generated data."""

from polytene import cluster, metadata, rnaseq, testing

if __name__ == "__main__":
    fasta = testing.write_transcripts("generated.fa", 20)
    with cluster("local", workers=2, threads=4) as client:
        metadata.build(testing.write_archive("generated.tar.gz"), "kb", client=client)
        ants = metadata.open("kb").runs(organism="Pogonomyrmex barbatus", strategy="RNA-Seq")
        ants.sample_list("samples.tsv")
        runs = rnaseq.read_samples("samples.tsv")["run"].to_pylist()
        testing.write_reads("reads", fasta, names=runs)  # stands for the archive
        plan = rnaseq.plan("samples.tsv", index=rnaseq.index(fasta, "g.idx"), local_dir="reads")
        print(plan.describe(), rnaseq.run(plan, client=client), sep="\n")
        print(rnaseq.merge("work", client=client))
