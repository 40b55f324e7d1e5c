"""What was measured after the search: the final models, on rows that nothing was chosen by."""
