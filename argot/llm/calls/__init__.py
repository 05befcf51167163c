"""Calls that cost money: never lost, never paid twice, within a limit."""
