"""The outputs of chunks put together, as if there had been no chunks."""
