"""What is learned of the trials: models of scores, costs and failures, and what they make worth trying."""
