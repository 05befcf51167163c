"""The stages: one file each, read from top to bottom; `python -m stages.NAME` runs one."""
