"""Sequences in two bits a base, without loss, and counting in them."""
