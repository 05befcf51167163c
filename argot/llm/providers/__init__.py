"""Providers of language models: one file each, and the registry that names them."""
