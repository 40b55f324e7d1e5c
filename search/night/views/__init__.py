"""Which view follows a run that a program started, and what it shows."""
