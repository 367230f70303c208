"""What the commands do: deploy, teardown, rollback, status."""
