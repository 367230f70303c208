"""The API in front of the function, and who may call it how often."""
