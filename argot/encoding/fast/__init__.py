"""Faster forward passes that give the bits, or nearly the bits, of the plain ones."""
