"""What the report and the terminal show."""
