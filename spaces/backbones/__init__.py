"""Pretrained networks without their heads: which ones there are, how they are loaded, and where they can be cut."""
