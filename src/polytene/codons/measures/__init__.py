"""Measures of codon usage, tables to compare, and the formats of other tools."""
