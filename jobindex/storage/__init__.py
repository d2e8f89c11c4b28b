"""Storage: where does the index live?"""
