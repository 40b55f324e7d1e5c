"""The run directory and everything that is read from it or written to it, checked on the way."""
