"""The deployed API from the caller's side."""
