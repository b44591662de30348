"""Zendesk grants, installations, sessions and our own tokens."""
