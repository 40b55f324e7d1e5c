"""Code of others: the user's functions, fresh interpreters, and what is used of Keras and TensorFlow."""
