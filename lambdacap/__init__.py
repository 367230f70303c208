"""Put a deep-learning model on the internet as a serverless API."""

__version__ = "0.1.0"
