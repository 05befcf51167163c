"""A document that must go: where it is kept, and what of that can be deleted."""
