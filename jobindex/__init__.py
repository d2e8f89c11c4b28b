"""An index of AWS IoT jobs, built from their MQTT notifications, that answers ListJobs."""
