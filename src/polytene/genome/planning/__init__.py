"""Where to cut a genome so that chunks cost the same and no gene is cut."""
