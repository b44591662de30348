"""The whole suite as a person starts it."""
