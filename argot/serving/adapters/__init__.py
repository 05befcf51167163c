"""A release in other programs' terms."""
