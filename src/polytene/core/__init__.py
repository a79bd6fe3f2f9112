"""The engine: it knows plans, blocks and parts, and no room."""
