"""What a setting may be, when it has an effect, and what training reports."""
