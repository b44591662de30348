"""What strangers try at the suite's doors, and whether docs/security.md tells the truth."""
