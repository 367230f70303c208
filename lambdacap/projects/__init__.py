"""What a project's folder says, and the environment that it runs in on this machine."""
