"""What metadata come from: trees, archives, sets, tables of accessions."""
