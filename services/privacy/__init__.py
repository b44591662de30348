"""Answers people about their data, and proves what it did."""
