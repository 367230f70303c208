"""From a folder to an image in a registry."""
