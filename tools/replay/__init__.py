"""Plays an event log through changed rules, in virtual time, and reports what would have come of it."""
