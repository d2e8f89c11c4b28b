"""The names of the settings, as environment variables bear them behind a prefix."""

PREFIX = "JOBINDEX_"
SETTINGS = (
    "MQTT_URL",
    "MQTT_CLIENT_ID",
    "MQTT_USERNAME",
    "MQTT_PASSWORD",
    "MQTT_TOPICS",
    "MQTT_PROTOCOL",
    "MQTT_CA_FILE",
    "MQTT_CERT_FILE",
    "MQTT_KEY_FILE",
    "MQTT_ALPN",
    "DATABASE_URL",
    "REJECTED_MAX_MESSAGES",
    "REJECTED_MAX_BYTES",
    "RETENTION_DAYS",
    "STUCK_SECONDS",
    "HTTP_HOST",
    "HTTP_PORT",
    "HTTP_AUTH",
    "HTTP_KEYS_FILE",
    "HTTP_TOKEN",
    "HTTP_HOSTS",
    "HTTP_PUBLIC_URL",
    "HTTP_PROXIES",
    "HTTP_CERT_FILE",
    "HTTP_KEY_FILE",
    "HTTP_CA_FILE",
    "HTTP_RATE",
    "AWS_REGION",
    "AWS_ACCOUNT_ID",
    "LOG_FORMAT",
    "LOG_LEVEL",
)
SECRETS = ("MQTT_URL", "MQTT_PASSWORD", "HTTP_TOKEN")
"""Settings that `…_FILE` may hold instead: the file's content without the line end behind it."""
