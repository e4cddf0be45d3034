"""The task that waits."""
