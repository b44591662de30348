"""Tests of the benchmarks themselves: that they measure what they say, never how fast."""
