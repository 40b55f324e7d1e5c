"""What the engine makes its steps with: many of them in one function, and the average of the weights after each."""
