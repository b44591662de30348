"""Checks that Pants has no goal for: imports, contracts, deployment. `./pants run tools/checks:checks`."""
