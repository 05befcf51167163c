"""People's judgments, and the loop back into the pipeline."""
