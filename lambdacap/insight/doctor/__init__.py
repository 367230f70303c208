"""What would stop a deploy, told before it starts."""
