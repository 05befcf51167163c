"""What a model said of texts: a vector each, and a vector a token, by the keys of the texts."""
