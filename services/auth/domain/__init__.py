"""The rules of auth: pure Python."""
