"""States, periods, plans: pure Python."""
