"""What privacy's ports stand on."""
