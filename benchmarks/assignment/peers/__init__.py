"""What talks to Redis: a program of its own in a resolve of its own; it imports nothing of ours."""
