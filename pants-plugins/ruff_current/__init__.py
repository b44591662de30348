"""ruff with its current command line: Pants 2.17's own backend predates the sub-commands."""
