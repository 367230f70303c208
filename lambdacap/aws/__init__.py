"""AWS: clients, what its errors mean, named retries, prices."""
