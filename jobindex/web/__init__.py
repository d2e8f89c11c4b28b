"""The web: which requests does the service answer over HTTP, and how?"""
