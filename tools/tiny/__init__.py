"""The smallest model, project, release and provider that behave as the large ones do: for tests and benchmarks."""
