"""Genes of a genome judged and mended: by Helixer's probabilities, and by RNA-seq."""
