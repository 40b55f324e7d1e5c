"""A whole space: validated, with its configurations, as schema and as Keras Tuner's types."""
