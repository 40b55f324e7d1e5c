"""From a file, or a shipped space, and --set to a spec."""
