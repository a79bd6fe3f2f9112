"""Documents of the SRA to Arrow tables: a scanner, and expat for what is odd."""
