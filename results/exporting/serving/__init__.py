"""The serving bundle: a SavedModel that takes what people have, and a plain script for each exported file."""
