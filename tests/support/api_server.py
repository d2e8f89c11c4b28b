"""The API on a real HTTP server with a real store, in a thread of the test process."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import uvicorn
from botocore.config import Config
from starlette.routing import BaseRoute

from jobindex.access.access import Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.access.rates import Rates
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reports import RejectedMessage, Report
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState
from jobindex.storage.databases import Database, SqliteDatabase
from jobindex.storage.opening import open_store
from jobindex.web.api.app import create_app
from jobindex.web.api.gateway import Admission
from jobindex.web.api.throttle import CONCURRENCY_MAXIMUM, PAGES_MAXIMUM, Throttle
from jobindex.web.changes import ChangeFeed
from jobindex.web.connections import LIMITS, Limits
from jobindex.web.server import bound_socket, http_config
from jobindex.web.ui.routes import FREE, PUBLIC_PATHS, make_ui
from support.empty_indexes import empty_index

REGION = "eu-central-1"
SOURCE = f"arn:aws:iot:{REGION}:123456789012"
ARN_PREFIX = f"{SOURCE}:job/"
THING_ARN_PREFIX = f"{SOURCE}:thing/"

T = TypeVar("T")


class Api:
    """A running API; `apply` applies messages to its index."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        state: ServiceState,
        metrics: Metrics,
        port: int,
        routes: Sequence[BaseRoute],
    ) -> None:
        self.routes = routes
        self.state = state
        self.metrics = metrics
        self.url = f"http://127.0.0.1:{port}"
        self._loop = loop

    def apply(
        self,
        *messages: tuple[str, dict[str, Any]],
        rejected: Sequence[RejectedMessage] = (),
        now: datetime | None = None,
    ) -> None:
        """Apply messages to the index and store rejected ones; job documents are stored."""
        reports: list[Report] = []
        now = now or datetime.now(UTC)
        parser = Parser(keeps_documents=True)
        for topic, payload in messages:
            reports += parser.parse_message(topic, json.dumps(payload).encode(), to_milliseconds(now))
        assert self.state.store is not None
        self.run(self.state.store.apply(reports, rejected, now=now))

    def reject(self, *messages: RejectedMessage) -> None:
        """Store rejected messages."""
        assert self.state.store is not None
        self.run(self.state.store.apply([], messages, now=datetime.now(UTC)))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine, such as a method of the store."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def client(self, service: str = "iot") -> Any:
        """Return boto3's client of the API, without retries."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """Return the status of an answer to a change, and its members or the message of the error."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = Request(self.url + path, content, {"x-jobindex": "1", **headers}, method="POST")
        try:
            with urlopen(asked, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())["message"]

    def request(self, path: str, method: str = "GET") -> tuple[int, Any, dict[str, str]]:
        """Return the status, the decoded body and the lower-case headers of an answer."""
        try:
            with urlopen(Request(self.url + path, method=method), timeout=10) as answer:
                return answer.status, json.loads(answer.read() or "null"), _lower(answer.headers)
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or "null"), _lower(error.headers)


def keys_of_roles() -> Keys:
    """Return an unlimited key of each role; its name and its token are the role."""
    return Keys(
        Key(
            principal=Principal(name=role, role=role, namespace_ids=None),
            created_at=datetime.now(UTC),
            token_sha256=digest(role),
        )
        for role in Role
    )


@contextmanager
def serving(
    directory: Path,
    *,
    concurrency_maximum: int = CONCURRENCY_MAXIMUM,
    pages_maximum: int = PAGES_MAXIMUM,
    access: Access | None = None,
    rates: Rates | None = None,
    proxies: Sequence[str] = (),
    limits: Limits = LIMITS,
    database: Database | None = None,
) -> Iterator[Api]:
    """Serve an empty index while the context is open; without `access`, every client has access.

    Without `database`, the index is a SQLite file in the directory.
    """
    state = ServiceState()
    metrics = Metrics(state)
    access = access or Access(region=REGION)
    ui = make_ui(state, Throttle(metrics, pages_maximum), access=access, refused=metrics.unauthenticated.inc)
    app = create_app(
        state,
        metrics,
        ChangeFeed(state),
        pages=ui.routes,
        concurrency_maximum=concurrency_maximum,
        admission=Admission(
            access=access,
            rates=rates,
            public_paths=PUBLIC_PATHS,
            free=FREE,
            refuse=ui.refuse,
        ),
    )
    started: list[asyncio.AbstractEventLoop] = []
    ready = threading.Event()
    with bound_socket("127.0.0.1", 0) as listener:
        server = uvicorn.Server(http_config(app, limits=limits, proxies=proxies))

        async def serve() -> None:
            kept_in = database or SqliteDatabase(path=empty_index(directory / "jobindex.db"))
            async with open_store(kept_in, arn_prefix=SOURCE) as store:
                assert await store.take_lease("{}", seconds=3600)
                state.store, state.reason = store, None
                started.append(asyncio.get_running_loop())
                ready.set()
                await server.serve(sockets=[listener])

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        try:
            assert ready.wait(10)
            yield Api(started[0], state, metrics, listener.getsockname()[1], app.routes)
        finally:
            server.should_exit = True
            thread.join()


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
