"""One package per deployable."""
