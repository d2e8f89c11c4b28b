"""An index of AWS IoT jobs, kept from their MQTT notifications, that answers ListJobs."""
