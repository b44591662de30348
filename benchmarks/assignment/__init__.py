"""Benchmarks of assignment: batches, micro-batches and single decisions, beside what others would do."""
