"""Pairs that a team has: one file a form, all read as `BroughtPair`, then matched to passages."""
