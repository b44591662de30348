"""The authority of seed 002: pure Python."""
