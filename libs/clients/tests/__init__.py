"""How services reach each other: tests."""
