"""Texts become vectors, the same to the bit on every run."""
