"""Bugs to plant, a few for each target: a fuzzer that misses them would miss others, too."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from jobindex.access import access, keys, signatures
from jobindex.config import http as http_settings
from jobindex.config import mqtt as mqtt_settings
from jobindex.config.reader import SettingsReader
from jobindex.messages import drafts, parsing, payloads, topics
from jobindex.messages import executions as message_executions
from jobindex.model import listing, page_tokens, parameters
from jobindex.storage.sql import batch, counts, dependents, executions
from jobindex.web.api import gateway, list_jobs, operations
from jobindex.web.protocol import HttpProtocol
from jobindex.web.ui import rendering, sign_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A bug: a replacement in the source of a function."""

    target: str
    function: Callable[..., Any]
    before: str
    after: str

    def __str__(self) -> str:
        """Return the place and the change."""
        return f"{self.target}: {self.function.__qualname__}: {self.before!r} becomes {self.after!r}"


_BUGS: Mapping[str, Sequence[tuple[Callable[..., Any], str, str]]] = {
    "topics": (
        (topics._parse, 'removesuffix("/")', 'rstrip("/")'),
        (topics._name, "pattern.fullmatch", "pattern.match"),
        (topics._namespace_id, "level.removeprefix(prefix)", 'level.rpartition("namespace-")[2]'),
        (topics._parse_answer, 'verb == "update" and job == _CURRENT_JOB', "False"),
        (topics._parse_answer, 'outcome == "rejected" and verb != "update"', "False"),
        (topics.filter_problem, 'any("#" in level for level in levels[:-1]) or ', ""),
    ),
    "payloads": (
        (payloads._milliseconds, "type(value) is int", "isinstance(value, int)"),
        (payloads._milliseconds, "value * 1000", "value * 1001"),
        (payloads.read_number, "<= MAX_NUMBER:", "<= MAX_NUMBER + 1:"),
        (payloads.read_arn_name, "pattern.fullmatch(resource[1])", "pattern.match(resource[1])"),
        (payloads.parse_payload, "except orjson.JSONDecodeError as error", "except KeyError as error"),
        (payloads.read_object, "value is None", "not value"),
        (message_executions.add_execution, "job_id or read_text(", "read_text("),
        (parsing._read_payload, 'check_thing(members, "", thing_name)', "pass"),
        (drafts.check_ahead, "> _AHEAD_MILLISECONDS", "> 1000 * _AHEAD_MILLISECONDS"),
        (message_executions._read_details, "option=orjson.OPT_SORT_KEYS", "option=0"),
    ),
    "batches": (
        (dependents.Dependents.load, "self._states.load_executions_of(deleted - many)", "pass"),
        (batch.Batch._write_executions, "by=by)", "by=1)"),
        (counts.Counts.count_executions, "by * count", "count"),
    ),
    "tokens": (
        (page_tokens.unseal, " or _encoded(sealed) != token", ""),
        (page_tokens._digest, "for value in bound", "for value in bound[1:]"),
        (page_tokens.unseal_text, "except UnicodeDecodeError", "except KeyError"),
        (listing.decode_token, "(ValueError, OverflowError)", "ValueError"),
        (executions._decode, "(ValueError, RecursionError)", "RecursionError"),
        (executions._decode, "1 << 63", "1 << 64"),
        (executions._decode, "not member.isascii()", "False"),
        (executions.ExecutionReader._wanted, "if self._visible is not None", "if False"),
    ),
    "queries": (
        (operations.admit, "principal.check_all_visible(operation.name)", "pass"),
        (access.visible_to, "store.visible_to(principal.namespace_ids)", "store"),
        (executions.ExecutionReader._wanted, "if self._visible is not None", "if False"),
        (parameters.Integer.problems, "_INTEGER.fullmatch(value) is None", "not value.isdigit()"),
        (list_jobs.ListJobs.__call__, "question = principal.namespace_ids,", "question = None,"),
        (gateway.Gateway._authenticate, "if self._is_free(scope) or", "if True or"),
        (rendering.Renderer.__init__, "autoescape=True", "autoescape=False"),
        (sign_in.SignIn._sign_in, "following.startswith(HOME) and following.isprintable()", "following"),
    ),
    "wires": (
        (HttpProtocol.data_received, "except httptools.HttpParserError", "except KeyError"),
        (HttpProtocol.data_received, "data = piece[upgrade.args[0] :] + data", "data = piece + data"),
        (HttpProtocol._refuse, "self._is_refused = True", "pass"),
        (HttpProtocol._may_answer, "return not self.cycle.response_started and not self.pipeline", "return True"),
    ),
    "authorization": (
        (signatures._canonical_query, "keep_blank_values=True", "keep_blank_values=False"),
        (signatures._canonical_path, "quote(b'/'.join(segments))", "quote(b'/'.join(segments).lower())"),
        (
            signatures._canonical_query,
            'sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)',
            'sorted({(quote(name, safe=""), quote(value, safe="")) for name, value in pairs})',
        ),
        (signatures._parse_time, "except ValueError", "except KeyError"),
        (signatures.verify, "hmac.compare_digest(_sign(", "hmac.compare_digest(2 * _sign("),
        (signatures._check_time, "time < now - SKEW", "time < now - 2 * SKEW"),
        (access.Access.authenticate, "token.strip()", "token.strip().lower()"),
        (access.Access._of_session, "if method in _READING else ()", "if method else ()"),
        (gateway._is_signed_with_body, "names and not", "() and not"),
    ),
    "keys": (
        (keys._is_time, "(ValueError, OverflowError)", "ValueError"),
        (keys._matches, "isinstance(value, str) and re.fullmatch(pattern, value)", "re.fullmatch(pattern, str(value))"),
        (keys._problems, " or not namespaces", ""),
        (keys._credential_problems, 'f"{name} is not', 'f"{name} {members[name]} is not'),
        (keys._read, ".replace(microsecond=0)", ""),
    ),
    "settings": (
        (mqtt_settings._parse, '"is not a URL"', 'f"{url} is not a URL"'),
        (http_settings._port, "int(text) > 65535", "False"),
        (SettingsReader._parse, "except ValueError", "except KeyError"),
        (SettingsReader._find, "not text.isprintable()", "False"),
    ),
}
PLANTS = tuple(
    Plant(target=target, function=function, before=before, after=after)
    for target, bugs in _BUGS.items()
    for function, before, after in bugs
)


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """Plant a bug while the context is open.

    The function keeps its identity, so every module that has imported it has the bug.
    """
    function = plant.function
    source = textwrap.dedent(inspect.getsource(function))
    if plant.before not in source or not isinstance(function, FunctionType):
        raise ValueError(f"{plant}: there is nothing to change")
    made: dict[str, Any] = {}
    exec(source.replace(plant.before, plant.after), {**function.__globals__}, made)
    former = function.__code__
    function.__code__ = made[function.__name__].__code__
    _forget()
    try:
        yield
    finally:
        function.__code__ = former
        _forget()


def _forget() -> None:
    """Clear the caches, whose results are those of the function before the change."""
    for module in (topics, payloads, message_executions):
        for cached in vars(module).values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
