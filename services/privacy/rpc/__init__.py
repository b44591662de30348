"""Privacy's servicer, mapping and peers."""
