"""Calls to language models: paid once, never lost, within a limit, and without what must not leave the machine."""
