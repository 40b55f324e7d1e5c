"""Model files of whoever: looked at before they are loaded."""
