"""How fast tokens are verified, and how fast a revocation reaches every verifier."""
