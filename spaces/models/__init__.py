"""One configuration, complete, and the Keras model that it becomes."""
