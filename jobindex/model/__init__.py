"""The model: what is a job, a query, a store?"""
