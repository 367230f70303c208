"""What the commands find out: health, traffic, logs, measurements, cost, policy, doctor."""
