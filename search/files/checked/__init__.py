"""The door that everything passes that is read of a run, and what it lets through."""
