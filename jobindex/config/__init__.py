"""The settings: environment variables, every secret also as a file, all problems reported at once.

Not chosen: a settings library. The few types here would be its plugins, and the messages are the point.
"""
