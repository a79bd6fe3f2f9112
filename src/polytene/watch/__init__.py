"""Seeing a run: while it works, and after."""
