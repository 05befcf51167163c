"""Answers from passages alone: each claim cites a passage and quotes it, and both are checked."""
