"""The composition of a genome: bases, CpG and k-mers, per window, chunk or sequence."""
