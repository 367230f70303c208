"""Who is told of too many calls and too high costs."""
