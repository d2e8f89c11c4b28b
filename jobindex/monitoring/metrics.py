"""The metrics of /metrics, in Prometheus's text format.

Each service has its own registry, so that two in one process do not mix.
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

from jobindex.model.sync import DifferenceKind
from jobindex.model.views import NamespaceCounts
from jobindex.monitoring.index_counts import IndexCollector
from jobindex.monitoring.state import Ingestion, ServiceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters, timers and gauges of the service."""

    def __init__(self, state: ServiceState) -> None:
        disable_created_metrics()  # a series with each counter's creation time
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge(
            "jobindex_build_info", "1, with the running version as a label", ["version"], registry=self.registry
        )
        build.labels(version("jobindex")).set(1)
        self._index = IndexCollector()
        self.registry.register(self._index)
        self.received = self._counter("messages_received", "Messages delivered by the broker, including redeliveries")
        self.redelivered = self._counter(
            "messages_redelivered", "Messages that the broker redelivered while they were still in flight"
        )
        self.dropped = self._counter("messages_dropped", "QoS 0 messages dropped because too many were in flight")
        self.applied = self._counter("messages_applied", "Messages merged into the index")
        self.ignored = self._counter("messages_ignored", "Messages whose topic or content is not relevant to the index")
        self.rejected = self._counter("messages_rejected", "Messages that could not be parsed or applied")
        self.refused = self._counter(
            "messages_refused",
            "Rejected messages that the database refused, not the parser: each is a bug in jobindex",
        )
        self.dropped_members = self._counter(
            "members_dropped",
            "Members of messages that are not stored: statusDetails that are not an object of texts, too many targets",
            "member",
        )
        for member in ("statusDetails", "targets"):
            self.dropped_members.labels(member)
        self.discarded = self._counter(
            "rejected_messages_discarded", "Rejected messages deleted to stay within their limits"
        )
        self.removed = self._counter("jobs_forgotten", "Ended and deleted jobs removed by retention")
        self.batch_messages = Histogram(
            "jobindex_batch_messages",
            "Messages committed together",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "jobindex_commit_seconds",
            "Seconds from the first statement of a batch until it is durable",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )
        self.failed_commits = self._counter("commits_failed", "Batches that could not be written and were retried")
        self._gauge(
            "mqtt_connected",
            "1 while every subscription is granted, or messages arrive before the broker acknowledges it, else 0",
            lambda: state.ingestion_status().ingestion is Ingestion.CONNECTED,
        )
        self._gauge(
            "ingesting",
            "1 in the replica that ingests, or that would if it were connected, else 0",
            lambda: state.store is not None and state.holder is None,
        )
        self._time(
            "connected_since",
            "Time at which every subscription was granted, 0 while one is not",
            lambda: state.ingestion_status().connected_since,
        )
        self._time(
            "complete_since",
            "Time from which the index is complete, 0 if it is not",
            lambda: state.ingestion_status().complete_since,
        )
        self._time(
            "last_message",
            "Time of the arrival of the last message, 0 before the first",
            lambda: state.ingestion_status().last_message_at,
        )
        self._time(
            "newest_stamp",
            "The greatest time in the parsed messages since the start, 0 before the first",
            lambda: state.newest_stamp_at,
        )
        self._time(
            "oldest_unwritten",
            "Time of the arrival of the oldest message that is not yet written, 0 if all are written",
            lambda: state.ingestion_status().oldest_unwritten_at(),
        )
        self._gauge(
            "settling", "1 while deferred work is left, else 0", lambda: bool(state.ingestion_status().settling)
        )
        self._gauge(
            "deferred_work_set_aside",
            "Pieces of deferred work that the database refuses, up to 10",
            lambda: len(state.ingestion_status().set_aside),
        )
        self._gauge(
            "unwritable",
            "1 while the index cannot be written, else 0",
            lambda: state.ingestion_status().unwritable is not None,
        )
        self._describe_sync(state)
        self.wal_bytes = Gauge("jobindex_wal_bytes", "Length of the database's write-ahead log", registry=self.registry)
        self.watchers = Gauge("jobindex_live_watchers", "Subscribers to changes", registry=self.registry)
        self.sessions_lost = self._counter(
            "mqtt_sessions_lost", "Sessions that the broker had lost: messages may have been missed"
        )
        self.connections = self._counter("mqtt_connections", "Connections that the broker accepted")
        self.throttled = self._counter(
            "http_requests_throttled",
            "Requests refused because too many were in flight, or because a client exceeded its rate",
        )
        self.unauthenticated = self._counter(
            "http_requests_unauthenticated", "Requests refused because they had no key, or an invalid one"
        )

    def encode(self, counts: NamespaceCounts | None = None, stuck: int | None = None) -> bytes:
        """Return all metrics in Prometheus's text format; counts of the index that are None are left out."""
        self._index.counts, self._index.stuck = counts, stuck
        return generate_latest(self.registry)

    def _describe_sync(self, state: ServiceState) -> None:
        self.sync_calls = self._counter("sync_calls", "Calls of the sync to AWS", "operation", "outcome")
        self.sync_rows = self._counter("sync_rows", "Rows of AWS's answers that the sync read", "phase")
        self.differences = self._counter(
            "differences", "Differences between AWS and the index that checks found", "kind"
        )
        # An increase from no series to 1 would not show.
        self.sync_calls.labels("ListJobs", "ok")
        self.sync_rows.labels("jobs")
        for kind in DifferenceKind:
            self.differences.labels(kind)
        self._gauge(
            "sync_checking",
            "1 if the sync with AWS also checks the index regularly, else 0",
            lambda: (sync := state.ingestion_status().sync) is not None and sync.mode == "check",
        )
        self._gauge(
            "sync_waiting",
            "1 while no call of the sync to AWS succeeds, else 0",
            lambda: (sync := state.ingestion_status().sync) is not None and sync.reason is not None,
        )
        self._gauge(
            "sync_problems",
            "What the last syncs could not get, and what is wrong in AWS",
            lambda: 0 if (sync := state.ingestion_status().sync) is None else len(sync.problems),
        )
        self._time(
            "filled",
            "Time as of which the index was last filled from AWS, 0 if it never was",
            lambda: state.ingestion_status().filled_at,
        )
        self._time(
            "reconciled",
            "Time as of which the index was last compared with AWS, 0 if it never was",
            lambda: state.ingestion_status().reconciled_at,
        )

    def _time(self, name: str, documentation: str, time: Callable[[], datetime | None]) -> None:
        def seconds() -> float:
            known = time()
            return 0 if known is None else known.timestamp()

        self._gauge(f"{name}_timestamp_seconds", documentation, seconds)

    def _gauge(self, name: str, documentation: str, value: Callable[[], float]) -> None:
        Gauge(f"jobindex_{name}", documentation, registry=self.registry).set_function(value)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"jobindex_{name}", documentation, labels, registry=self.registry)
