"""What may be wrong with a set-up: a file for each part of it, each yields what it finds."""
