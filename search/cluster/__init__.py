"""Training on a Ray cluster, of one machine or many: one more executor.

Importing the package imports neither Ray nor TensorFlow.
"""
