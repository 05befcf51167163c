"""A file's bytes become Markdown, its blocks, and words."""
