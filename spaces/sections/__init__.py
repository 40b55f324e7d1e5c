"""The sections of a space file."""
