"""Tests of privacy's rules and use cases on memory adapters."""
