"""Answers about people: tests."""
