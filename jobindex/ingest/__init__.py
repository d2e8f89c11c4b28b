"""Ingestion: how does a message get in, and which replica ingests?"""
