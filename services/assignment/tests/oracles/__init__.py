"""Solvers of others: a program of its own in a resolve of its own; it imports nothing of ours."""
