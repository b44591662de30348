"""What tests of every room share: a real PostgreSQL, builders, the RPC harness."""
