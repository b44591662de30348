"""Tests of the decision core against two naive interpreters that know nothing of it."""
