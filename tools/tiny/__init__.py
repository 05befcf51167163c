"""A tiny model, project, release and provider, for tests and benchmarks."""
