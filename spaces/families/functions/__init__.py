"""What a function `build(hp)` of the user's asks for, and the models that it makes."""
