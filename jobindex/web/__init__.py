"""The web: what does the service answer over HTTP?"""
