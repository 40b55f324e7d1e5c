"""How one trial is trained. Importing the package does not import TensorFlow."""
