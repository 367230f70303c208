"""The record of a deployment, and who may work on it."""
