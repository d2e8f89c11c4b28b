"""Bugs to plant, a few for each target: a fuzzer that does not find them would find no others."""

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
from jobindex.messages import parsing, payloads, topics
from jobindex.model import listing, page_tokens, parameters
from jobindex.storage.sql import batch, executions
from jobindex.web.api import gateway, list_jobs, operations
from jobindex.web.protocol import HttpProtocol
from jobindex.web.ui import rendering, sign_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A bug: in the source of a function some text becomes another."""

    target: str
    function: Callable[..., Any]
    before: str
    after: str

    def __str__(self) -> str:
        """Return where it is, and what it changes."""
        return f"{self.target}: {self.function.__qualname__}: {self.before!r} becomes {self.after!r}"


_BUGS: Mapping[str, Sequence[tuple[Callable[..., Any], str, str]]] = {
    "topics": (
        (topics.parse_topic, 'removesuffix("/")', 'rstrip("/")'),
        (topics._name, "pattern.fullmatch", "pattern.match"),
        (topics._namespace_id, "level.removeprefix(prefix)", 'level.rpartition("namespace-")[2]'),
        (topics._parse_answer, 'verb == "update" and job == _CURRENT_JOB', "False"),
        (topics.filter_problem, 'any("#" in level for level in levels[:-1]) or ', ""),
    ),
    "payloads": (
        (payloads._parse_time, "isinstance(value, bool) or ", ""),
        (payloads._parse_time, "<= _YEAR_2100_MILLISECONDS", "<= 1 + _YEAR_2100_MILLISECONDS"),
        (payloads.Members.number, "<= _MAX_NUMBER", "<= _MAX_NUMBER + 1"),
        (payloads.Members.arn_name, "pattern.fullmatch(found_name)", "pattern.match(found_name)"),
        (payloads.parse_payload, "except orjson.JSONDecodeError as error", "except KeyError as error"),
        (payloads.Members.object, "not isinstance(value, dict)", "value and not isinstance(value, dict)"),
        (parsing._execution_reports, "subject.job_id or execution.text(", "execution.text("),
        (parsing._check_names, 'members.same("thingName", thing_name, THING_NAME)', "pass"),
    ),
    "batches": (
        (batch._merge, "*merge.MERGE, *readings.CHANGED,", "*readings.CHANGED, *merge.MERGE,"),
        (batch._merge, "(readings.CHANGED_EXECUTION, *merge", "(*merge"),
        (payloads.Members.number, "<= _MAX_NUMBER", "<= 2 * _MAX_NUMBER + 1"),
    ),
    "tokens": (
        (page_tokens.unseal, " or _encoded(sealed) != token", ""),
        (page_tokens._digest, "for value in bound", "for value in bound[1:]"),
        (page_tokens.unseal_text, "except UnicodeDecodeError", "except KeyError"),
        (listing.decode_token, "(ValueError, OverflowError)", "ValueError"),
        (executions._decode, "(ValueError, RecursionError)", "RecursionError"),
        (executions._decode, "1 << 63", "1 << 64"),
        (executions._decode, "not member.isascii()", "False"),
        (executions._wanted, "if seen is not None", "if False"),
    ),
    "queries": (
        (operations.admit, "principal.check_all_seen(operation.name)", "pass"),
        (access.visible_to, "store.seen_by(principal.namespace_ids)", "store"),
        (executions.read_execution, ' or not is_visible(row["job_namespace_id"], seen)', ""),
        (parameters.Integer.problems, "_INTEGER.fullmatch(value) is None", "not value.isdigit()"),
        (list_jobs.ListJobs.__call__, "asked = principal.namespace_ids,", "asked = None,"),
        (gateway.Gateway._who, "if self._is_free(scope) or", "if True or"),
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
        (access.Access.who, "token.strip()", "token.strip().lower()"),
        (access.Access._of_session, "if method in _READING else ()", "if method else ()"),
        (gateway._is_signed_with_body, "names and not", "() and not"),
    ),
    "keys": (
        (keys._is_time, "(ValueError, OverflowError)", "ValueError"),
        (keys._matches, "isinstance(value, str) and re.fullmatch(pattern, value)", "re.fullmatch(pattern, str(value))"),
        (keys._problems, " or not namespaces", ""),
        (keys._credential_problems, 'f"{name} is not', 'f"{name} {told[name]} is not'),
        (keys._read, ".replace(microsecond=0)", ""),
    ),
    "settings": (
        (mqtt_settings._parse, '"is no URL"', 'f"{url} is no URL"'),
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
    """Have a bug while the context is open.

    The function keeps its identity, and so whoever has imported it has the bug.
    """
    function = plant.function
    source = textwrap.dedent(inspect.getsource(function))
    if plant.before not in source or not isinstance(function, FunctionType):
        raise ValueError(f"{plant}: there is nothing to change")
    made: dict[str, Any] = {}
    exec(source.replace(plant.before, plant.after), {**function.__globals__}, made)
    former = function.__code__
    function.__code__ = made[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = former
