"""What can be concluded from a run, and what cannot: significance, evidence, advice, comparison."""
