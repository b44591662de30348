"""Envelope encryption, tokens, hash chain and certificates."""
