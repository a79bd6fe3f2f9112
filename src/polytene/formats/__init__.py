"""Bytes to records and back: file formats that the rooms share."""
