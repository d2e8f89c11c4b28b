"""The pages that show the index in a browser."""
