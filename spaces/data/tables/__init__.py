"""Tables: what the cells of a file mean, and how they become the numbers that a model takes."""
