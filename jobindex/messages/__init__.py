"""Messages: what does AWS publish, and on which topic?"""
