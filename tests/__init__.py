"""Tests across services: contract, golden, e2e, failure, load."""
