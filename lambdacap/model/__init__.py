"""The model's way into the image: published weights → the cache → a bundle that the handler loads."""
