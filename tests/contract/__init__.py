"""What every service promises."""
