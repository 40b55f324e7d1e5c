"""What a run records when it begins."""
