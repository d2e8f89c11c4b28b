"""The commands of `jobindex rejected`: a client of the running service, and what it prints."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import orjson

from jobindex.cli.output import printable
from jobindex.errors import ServiceError

_SECONDS = 60
_PAGE = 1000
_AT_ONCE = 100
"""Messages that the service takes in a request to retry or purge."""

COLUMNS = ("ID", "REJECTED AT", "BYTES", "TOPIC", "REASON")

_Json = dict[str, Any]


class RejectedClient:
    """Asks the service at `url` for its rejected messages.

    Every method raises ServiceError when it does not answer or refuses.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(ProxyHandler({}))  # whatever proxy the environment names

    def messages(self, after: int) -> Iterator[_Json]:
        """Yield the messages whose ids are greater than `after`, in the order of ids, without payloads."""
        following: int | None = after
        while following is not None:
            page = self._ask("GET", f"/rejected?limit={_PAGE}&after={following}")
            yield from page["messages"]
            following = page["next"]

    def message(self, id_: int) -> _Json:
        """Return a message with its payload."""
        return self._ask("GET", f"/rejected/{id_}")

    def retry(self, ids: Sequence[int]) -> _Json:
        """Have messages parsed again; return what became of them."""
        outcome: _Json = {"applied": [], "rejected": [], "missing": []}
        for start in range(0, len(ids), _AT_ONCE):
            answer = self._ask("POST", f"/rejected/retry?{_ids(ids[start : start + _AT_ONCE])}")
            for name in outcome:
                outcome[name] += answer[name]
        return outcome

    def purge(self, ids: Sequence[int] | None) -> _Json:
        """Have messages deleted, all of them for None; return how many were and how many were not there."""
        if ids is None:
            return {**self._ask("DELETE", "/rejected?all=true"), "missing": 0}
        ids = list(dict.fromkeys(ids))
        purged = 0
        for start in range(0, len(ids), _AT_ONCE):
            purged += self._ask("DELETE", f"/rejected?{_ids(ids[start : start + _AT_ONCE])}")["purged"]
        return {"purged": purged, "missing": len(ids) - purged}

    def _ask(self, method: str, path: str) -> _Json:
        request = Request(self._url + path, method=method, headers={"x-jobindex": "1"})  # noqa: S310 (http alone)
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return dict(orjson.loads(answer.read()))
        except HTTPError as error:
            with error:
                raise ServiceError(_message(error.read()) or f"{self._url}: {error}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise ServiceError(f"{self._url}: {error}; does the service run there?") from error


def show_message(message: _Json) -> str:
    """Return a message as lines of text, its payload last."""
    text = message.get("text")
    payload = f"in base64: {message['payload']}" if text is None else printable(text, keep="\n\t")
    return (
        f"id:           {message['id']}\n"
        f"rejected at:  {_time(message)}\n"
        f"topic:        {printable(message['topic'])}\n"
        f"reason:       {printable(message['reason'])}\n"
        f"payload:      {message['payloadBytes']} bytes\n\n"
        f"{payload}"
    )


def show_outcome(outcome: _Json) -> str:
    """Return what became of messages as lines of text."""
    if "purged" in outcome:
        return f"{outcome['purged']} purged, {outcome['missing']} not there"
    applied, rejected, missing = outcome["applied"], outcome["rejected"], outcome["missing"]
    return "\n".join(
        (
            f"{len(applied)} applied, {len(rejected)} still rejected, {len(missing)} not there",
            *(f"{still['id']}: {printable(still['reason'])}" for still in rejected),
            *(f"{id_}: not there" for id_ in missing),
        )
    )


def row(message: _Json) -> tuple[str, ...]:
    """Return what stands of a message in a table under COLUMNS."""
    told = (message["id"], _time(message), message["payloadBytes"], message["topic"], message["reason"])
    return tuple(map(str, told))


def _time(message: _Json) -> str:
    return datetime.fromtimestamp(message["rejectedAt"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ids(ids: Sequence[int]) -> str:
    return urlencode([("id", id_) for id_ in ids])


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return ""
