"""Paid calls of language models, their providers, and what a model judges."""
