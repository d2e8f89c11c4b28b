"""Monitoring: how is the service doing?"""
