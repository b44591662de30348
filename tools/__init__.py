"""Programs for people who build and test Setlist."""
