"""What happens to the suite when a part of it is killed."""
