"""Access: who may call, for how long, and how often?"""
