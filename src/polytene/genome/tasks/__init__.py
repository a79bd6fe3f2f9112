"""Task files: the same command line for each chunk, and the programs that run them."""
