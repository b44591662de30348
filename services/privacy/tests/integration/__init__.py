"""Tests of privacy on real PostgreSQL."""
