"""The only way one service calls another."""
