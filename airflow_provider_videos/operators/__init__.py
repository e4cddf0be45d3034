"""The tasks that submit, fetch and delete."""
