"""Fine-tuning of the base model."""
