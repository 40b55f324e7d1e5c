"""What can be concluded from a run, and what cannot: answers, evidence, advice, comparison."""
