"""Compiled functions that configurations share."""
