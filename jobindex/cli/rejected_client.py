"""The client of `jobindex rejected`, and the text of its output."""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlencode

from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.output import counted, exact_time, printable

PAGE = 1000
AT_ONCE = 100
"""The most messages that the service accepts in a request to retry or purge."""

COLUMNS = ("ID", "REJECTED AT", "BYTES", "TOPIC", "REASON")


class RejectedClient:
    """A client for rejected messages; raises the errors of ServiceClient."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service

    def messages(self, after: int) -> Iterator[Json]:
        """Yield the messages with ids greater than `after` in order, without payloads."""
        return self._service.pages("/rejected", "messages", {"limit": PAGE, "after": after})

    def message(self, id_: int) -> Json:
        """Return a message with its payload."""
        return self._service.ask("GET", f"/rejected/{id_}")

    def retry(self, ids: Sequence[int], advance: Callable[[int, int], None]) -> Json:
        """Retry messages, reporting progress to `advance`, and return the outcome."""
        outcome: Json = {"applied": [], "rejected": [], "missing": []}
        for start in range(0, len(ids), AT_ONCE):
            answer = self._service.ask("POST", f"/rejected/retry?{_ids(ids[start : start + AT_ONCE])}")
            for name in outcome:
                outcome[name] += answer[name]
            advance(min(start + AT_ONCE, len(ids)), len(ids))
        return outcome

    def purge(self, ids: Sequence[int] | None) -> Json:
        """Purge messages, all for None; return how many were purged and how many did not exist."""
        if ids is None:
            return {**self._service.ask("DELETE", "/rejected?all=true"), "missing": 0}
        ids = list(dict.fromkeys(ids))
        purged = 0
        for start in range(0, len(ids), AT_ONCE):
            purged += self._service.ask("DELETE", f"/rejected?{_ids(ids[start : start + AT_ONCE])}")["purged"]
        return {"purged": purged, "missing": len(ids) - purged}


def show_message(message: Json) -> str:
    """Return a message as text, its payload last."""
    text = message.get("text")
    payload = f"in base64: {message['payload']}" if text is None else printable(text, keep="\n\t")
    due = f"applied:      automatically at {exact_time(message['dueAt'])}\n" if "dueAt" in message else ""
    return (
        f"id:           {message['id']}\n"
        f"rejected at:  {exact_time(message['rejectedAt'])}\n"
        f"topic:        {printable(message['topic'])}\n"
        f"reason:       {printable(message['reason'])}\n"
        f"{due}"
        f"payload:      {counted(message['payloadBytes'], 'byte')}\n\n"
        f"{payload}"
    )


def show_outcome(outcome: Json) -> str:
    """Return an outcome as text."""
    if "purged" in outcome:
        return f"{outcome['purged']} purged, {outcome['missing']} not found"
    applied, rejected, missing = outcome["applied"], outcome["rejected"], outcome["missing"]
    return "\n".join(
        (
            f"{len(applied)} applied, {len(rejected)} still rejected, {len(missing)} not found",
            *(f"{still['id']}: {printable(still['reason'])}" for still in rejected),
            *(f"{id_}: not found" for id_ in missing),
        )
    )


def row(message: Json) -> tuple[str, ...]:
    """Return a message's cells under COLUMNS."""
    rejected_at, reason = exact_time(message["rejectedAt"]), message["reason"]
    if "dueAt" in message:
        reason += f" (applied automatically at {exact_time(message['dueAt'])})"
    return tuple(map(str, (message["id"], rejected_at, message["payloadBytes"], message["topic"], reason)))


def _ids(ids: Sequence[int]) -> str:
    return urlencode([("id", id_) for id_ in ids])
