"""Rankings that the student learns from."""
