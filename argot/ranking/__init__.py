"""How passages are found and ranked: by words, by vectors, by tokens, and fused."""
