"""A fake AWS on loopback: answers AWS's own clients by AWS's service models, and fails as a test wants it to."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from support.aws_wire import AwsWire, Refused, WireAnswer, WireRequest
from support.fake_aws_answers import FleetAnswers
from support.fake_aws_faults import Call, Delivery, Fault
from support.fake_aws_pages import Pager
from support.fake_fleet import FakeFleet
from support.keep_alive_server import KeepAliveHandler, KeepAliveServer

EVERY = "*"
"""Every operation, as the name of one."""


class FakeAws:
    """A fake AWS while the context is open; `fleet` is its state, to be changed under `lock`.

    When the context ends, an answer that the service model does not describe, or an operation that the fake does not
    have, fails the test.
    """

    def __init__(
        self,
        fleet: FakeFleet | None = None,
        *,
        shows: Callable[[str], FakeFleet] | None = None,
        clock: Callable[[], float] = time.time,
        tokens_by_offset: bool = False,
        hides_namespaces: bool = False,
    ) -> None:
        self.fleet = fleet or FakeFleet()
        self.clock = clock
        """Returns the time in seconds for the header `Date`."""
        self.calls: list[Call] = []
        self.failures: list[str] = []
        self.headers: list[tuple[str, str]] = []
        """Further headers of every answer."""
        self.lock = threading.RLock()
        self.answers = FleetAnswers(
            fleet=shows or (lambda _: self.fleet),
            pager=Pager(by_offset=tokens_by_offset),
            hides_namespaces=hides_namespaces,
        )
        self._wire = AwsWire()
        self._faults: dict[str, list[Fault]] = {}
        self._server: KeepAliveServer

    @property
    def url(self) -> str:
        """The URL of all services."""
        return self._server.url

    @property
    def unlisted(self) -> set[str]:
        """Values that its answers may have, though the service models exclude them; add to it."""
        return self._wire.unlisted

    def fault(self, operation: str, fault: Fault) -> None:
        """Add a fault to an operation, or to EVERY one, from the next call on."""
        with self.lock:
            self._faults.setdefault(operation, []).append(fault)

    def heal(self, operation: str | None = None) -> None:
        """Remove the faults of an operation, or all."""
        with self.lock:
            if operation is None:
                self._faults.clear()
            else:
                self._faults.pop(operation, None)

    def counts(self) -> Counter[str]:
        """Return the number of calls by operation."""
        with self.lock:
            return Counter(call.operation for call in self.calls)

    def client(self, service: str = "iot", read_timeout: float = 5) -> Any:
        """Return boto3's client of a service, without retries."""
        return boto3.client(
            service,
            region_name=self.fleet.region,
            endpoint_url=self.url,
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(connect_timeout=5, read_timeout=read_timeout, retries={"total_max_attempts": 1}),
        )

    def respond(self, request: WireRequest) -> tuple[Call, WireAnswer]:
        """Return the call that a request is, and its answer."""
        call = Call(time=time.monotonic(), operation=request.operation, parameters={})
        with self.lock:
            self.calls.append(call)
            try:
                call.parameters = self._wire.parameters(request)
                faults = [*self._faults.get(EVERY, ()), *self._faults.get(request.operation, ())]
                for fault in faults:
                    fault.apply(call)
                given = {name: value for name, value in call.parameters.items() if name not in call.ignored}
                members = self.answers.answer(request.operation, given)
                for fault in faults:
                    if fault.is_due:
                        fault.change(call, members)
                return call, self._wire.answer(request, members)
            except Refused as refused:
                call.error = refused.code
                return call, self._wire.refusal(request, refused)

    def read(self, method: str, target: str, authorization: str, body: bytes) -> tuple[Call | None, WireAnswer]:
        """Return the call and the answer of a request; a request that is not a call has only an answer."""
        try:
            request = self._wire.find(method, target, authorization, body)
        except Refused as refused:
            return None, self._wire.refusal(None, refused)
        try:
            return self.respond(request)
        except Exception as error:  # noqa: BLE001 (a test's mistake, which the end of the context reports)
            self.failures.append(f"{request.operation}: {type(error).__name__}: {error}")
            return None, self._wire.refusal(request, Refused("InternalFailure", str(error), 500))

    def __enter__(self) -> Self:
        self._server = KeepAliveServer(type("FakeAwsHandler", (_Handler,), {"aws": self})).__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.__exit__()
        if kind is None and self.failures:
            raise AssertionError("\n".join(self.failures))


class _Handler(KeepAliveHandler):
    aws: FakeAws

    def answer(self, body: bytes) -> None:
        call, answer = self.aws.read(self.command, self.path, self.headers.get("Authorization", ""), body)
        delivery = Delivery.WHOLE if call is None else call.delivery
        headers = [
            ("Date", formatdate(self.aws.clock(), usegmt=True)),
            ("Content-Type", answer.content_type),
            ("x-amzn-requestid", str(uuid.uuid4())),
            *self.aws.headers,
            *([] if answer.error is None else [("x-amzn-errortype", answer.error)]),
        ]
        if delivery is Delivery.WHOLE or call is None:
            self.send(answer.status, headers, answer.body)
            return
        self.close_connection = True
        if delivery is Delivery.NEVER:
            self.server.closing.wait()
        elif delivery is Delivery.DRIPPING:
            self.send_head(answer.status, headers, len(answer.body))
            for byte in answer.body:
                self.wfile.flush()
                if self.server.closing.wait(call.pace):
                    return
                self.wfile.write(bytes([byte]))
        elif call.sent_bytes:
            self.send_head(answer.status, headers, len(answer.body))
            self.wfile.write(answer.body[: call.sent_bytes])
