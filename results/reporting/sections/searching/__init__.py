"""What the training and validation rows say: how the search went, and what it found out about the space."""
