"""Ids, time and errors: what every layer may import."""
