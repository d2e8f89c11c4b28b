"""The checks of `jobindex doctor`, a file for each part."""
