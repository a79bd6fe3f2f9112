"""A knowledge base that is built: opened, asked, listed, checked, exported."""
