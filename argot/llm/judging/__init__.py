"""A language model's judgment of whether a passage answers a query."""
