"""Ways to use a release: command line, server, answers, adapters."""
