"""Where training queries come from: made by rule, written by a language model; their splits."""
