"""The settings: environment variables, for secrets also files. All problems are reported at once.

Not chosen: a settings library. The few types here would need plugins, and the error messages are the point.
"""
