"""What auth's ports are made of."""
