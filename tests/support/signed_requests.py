"""Requests signed by botocore, as a server receives them."""

from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

from jobindex.access.signatures import SignedRequest

REGION = "eu-central-1"
ACCESS_KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
URL = "http://jobs.example:8080"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Caller:
    """A boto3 client whose requests are recorded, and answered without being sent."""

    def __init__(self, url: str = URL, session_token: str | None = None) -> None:
        self.client = boto3.client(
            "iot",
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET,
            aws_session_token=session_token,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        self.client.meta.events.register("before-send.iot", self._keep)
        self._kept: list[SignedRequest] = []

    def request(self, operation: str, **parameters: Any) -> SignedRequest:
        """Return the request of an operation such as `list_jobs`."""
        getattr(self.client, operation)(**parameters)
        return self._kept.pop()

    def _keep(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self._kept.append(_arrived(request, _bytes(request.body or b"")))
        return AWSResponse(request.url, 200, {}, _Empty())


class _Empty:
    def stream(self) -> list[bytes]:
        return [b"{}"]


def signed(
    method: str = "GET",
    target: str = "/jobs",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    secret: str = SECRET,
    region: str = REGION,
    service: str = "iot",
    session_token: str | None = None,
) -> SignedRequest:
    """Return any request, signed now with all of its headers."""
    request = AWSRequest(method, URL + target, data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    SigV4Auth(Credentials(ACCESS_KEY_ID, secret, session_token), service, region).add_auth(request)
    return _arrived(request, body)


def _arrived(request: AWSRequest | AWSPreparedRequest, body: bytes) -> SignedRequest:
    parts = urlsplit(request.url)
    sent = [("Host", parts.netloc), *request.headers.items()]
    return SignedRequest(
        method=request.method,
        path=parts.path.encode(),
        query_string=parts.query.encode(),
        headers=[(name.lower().encode(), _bytes(value)) for name, value in sent],
        body=body,
    )


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
