"""The figures that /metrics serves, in Prometheus's text form.

prometheus-client keeps them; each service has a registry of its own, so that two in one process do not mix.
"""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from jobindex.monitoring.index_counts import Census, CensusCollector
from jobindex.monitoring.state import Ingestion, ServiceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What the service counts and times, and what its state tells."""

    def __init__(self, state: ServiceState) -> None:
        disable_created_metrics()  # a series of its own for each counter's birth
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge("jobindex_build_info", "1, with the version that runs", ["version"], registry=self.registry)
        build.labels(version("jobindex")).set(1)
        self._census = CensusCollector()
        self.registry.register(self._census)
        self.received = self._counter("messages_received", "Messages delivered by the broker, repetitions included")
        self.redelivered = self._counter("messages_redelivered", "Messages delivered again while still in hand")
        self.dropped = self._counter("messages_dropped", "QoS 0 messages dropped because too many were in hand")
        self.applied = self._counter("messages_applied", "Messages merged into the index")
        self.ignored = self._counter("messages_ignored", "Messages whose topic or content tells nothing")
        self.rejected = self._counter("messages_rejected", "Messages that could not be understood")
        self.dropped_members = Counter(
            "jobindex_members_dropped",
            "Members of messages that are not kept: statusDetails that are not an object of texts, too many targets",
            ["member"],
            registry=self.registry,
        )
        for member in ("statusDetails", "targets"):
            self.dropped_members.labels(member)
        self.discarded = self._counter(
            "rejected_messages_discarded", "Rejected messages that were kept no longer, to stay within their limits"
        )
        self.forgotten = self._counter("jobs_forgotten", "Ended and deleted jobs forgotten by retention")
        self.batch_messages = Histogram(
            "jobindex_batch_messages",
            "Messages committed together",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "jobindex_commit_seconds",
            "Seconds from a batch's first statement until it is durable",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )
        self.failed_commits = self._counter("commits_failed", "Batches that could not be written and were tried again")
        self._gauge(
            "mqtt_connected",
            "1 while every subscription is granted, else 0",
            lambda: state.ingestion_status().ingestion is Ingestion.CONNECTED,
        )
        self._gauge(
            "ingesting",
            "1 in the replica that ingests, or would if it were connected, else 0",
            lambda: state.store is not None and state.holder is None,
        )
        self._time(
            "connected_since",
            "Since when every subscription is granted, 0 while not",
            lambda: state.ingestion_status().connected_since,
        )
        self._time(
            "complete_since",
            "Since when the index has been told everything, 0 where it has not",
            lambda: state.ingestion_status().complete_since,
        )
        self._time(
            "last_message",
            "When the last message arrived, 0 before the first",
            lambda: state.ingestion_status().last_message_at,
        )
        self._time(
            "oldest_unwritten",
            "When the oldest message arrived that is not yet written, 0 where all are",
            lambda: state.ingestion_status().oldest_unwritten_at(),
        )
        self.wal_bytes = Gauge("jobindex_wal_bytes", "Length of the database's write-ahead log", registry=self.registry)
        self.watchers = Gauge("jobindex_live_watchers", "Who is told what changes", registry=self.registry)
        self.sessions_lost = self._counter(
            "mqtt_sessions_lost", "Sessions that the broker had forgotten: messages may have been missed"
        )
        self.connections = self._counter("mqtt_connections", "Connections that the broker accepted")
        self.throttled = self._counter(
            "http_requests_throttled", "Requests turned away as too many are under way, or came in too short a time"
        )
        self.unauthenticated = self._counter(
            "http_requests_unauthenticated", "Requests turned away as they had no key, or one that is not right"
        )

    def encode(self, census: Census | None = None) -> bytes:
        """Return all figures in Prometheus's text form; those of the census only where there is one."""
        self._census.census = census
        return generate_latest(self.registry)

    def _time(self, name: str, documentation: str, time: Callable[[], datetime | None]) -> None:
        def seconds() -> float:
            known = time()
            return 0 if known is None else known.timestamp()

        self._gauge(f"{name}_timestamp_seconds", documentation, seconds)

    def _gauge(self, name: str, documentation: str, value: Callable[[], float]) -> None:
        Gauge(f"jobindex_{name}", documentation, registry=self.registry).set_function(value)

    def _counter(self, name: str, documentation: str) -> Counter:
        return Counter(f"jobindex_{name}", documentation, registry=self.registry)
