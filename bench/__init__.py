"""`python -m bench`: how fast jobindex is, beside the limit and beside what one would use instead."""
