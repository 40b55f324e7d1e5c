"""What everything else stands on: errors with their places, strict sections, names, files."""
