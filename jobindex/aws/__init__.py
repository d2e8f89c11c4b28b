"""The sync with AWS: it fills the index from AWS's own answers, and compares it with them."""
