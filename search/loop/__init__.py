"""The loop: trials go to the executor, and what they give goes to the store and to observers."""
