"""The decision without a database."""
