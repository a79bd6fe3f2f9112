"""Codon pairs: which codons follow which, and how often that is more than chance."""
