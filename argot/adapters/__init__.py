"""A release inside other frameworks; each adapter stands behind an extra of its own."""
