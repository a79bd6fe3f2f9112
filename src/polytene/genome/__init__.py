"""Chunk plans of genomes: balanced, cut between genes, run anywhere, put together exactly."""
