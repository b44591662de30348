"""Tests of the benchmarks of assignment."""
