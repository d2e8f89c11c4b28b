"""The demo: a broker, a simulated fleet and the service in one process."""
