"""How a stage runs: its params, its files written whole or not at all, its tables."""
