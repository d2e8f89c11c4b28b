"""Topics and topic filters, compared with a second parser: regular expressions, written only from the rules."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.errors import MessageError
from jobindex.messages.topics import DEFAULT_FILTERS, filter_problem, parse_topic

THINGS = ("pump-1", "core:a_b", "-", "jobs", "T" * 128)
JOBS = ("update-7", "J", "notify", "start-next", "namespace-n", "accepted", "j" * 64)
NAMESPACES = ("acme", "next-acme", "namespace-n", "next-namespace-", "-", "aws-gg-deployment")
JOB_OPERATIONS = ("completed", "canceled", "cancellation_in_progress", "deletion_in_progress", "deleted")
EXECUTION_OPERATIONS = ("succeeded", "failed", "rejected", "canceled", "timed_out", "removed", "deleted")
GROUP_OPERATIONS = ("created", "updated", "deleted")

_WORDS = (
    *b"/ // + # /# $aws/ $share/g/ $next /notify -namespace- namespace- next- /accepted /rejected".split(),
    *b"/get /update start-next jobs things deleted".split(),
)

# T, J, N and G are placeholders of a thing, a job, a namespace and a thing group; the last member is the other content.
_THING = r"\$aws/things/<T>/jobs/"
_FORMS = (
    (_THING + r"<J>/notify-namespace-<N>", "JobNotification", None),
    (_THING + r"notify(?:-namespace-<N>)?", "PendingNotification", None),
    (_THING + r"notify-next(?:-namespace-<N>)?", "NextNotification", None),
    (_THING + r"(?:\$next|<J>)/(?:namespace-<N>/)?get/accepted", "ExecutionAnswer", "execution"),
    (
        _THING + r"(?!get/accepted)(?!\$next/)<J>/(?:namespace-<N>/)?update/(?:accepted|rejected)",
        "ExecutionAnswer",
        "executionState",
    ),
    (_THING + r"get/accepted", "PendingAnswer", None),
    (_THING + r"start-next/(?:namespace-<N>/)?accepted", "ExecutionAnswer", "execution"),
    *(
        (rf"\$aws/events/job/<J>/{name}", "JobEvent", {"cancellation_in_progress": "canceled"}.get(name, name))
        for name in JOB_OPERATIONS
    ),
    *((rf"\$aws/events/jobExecution/<J>/{name}", "JobExecutionEvent", name) for name in EXECUTION_OPERATIONS),
    (r"\$aws/events/thingGroup/<G>/(?:created|updated|deleted)", "ThingGroupEvent", None),
)
_FORM = [(re.compile(re.sub("<(.)>", r"(?P<\1>[^/]*)", form) + "/?"), kind, told) for form, kind, told in _FORMS]
_NAMES = {
    "T": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
    "J": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    "N": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "G": re.compile(r"[a-zA-Z0-9:_-]{1,128}"),
}
_MEMBERS = {"T": "thing_name", "J": "job_id", "N": "namespace_id", "G": "thing_group_name"}
_FILTER = re.compile(r"(?:(?:[^/+#\0]*|\+)/)*(?:[^/+#\0]*|\+|#)")

_T, _J, _N = (
    f"[{characters}]{{1,{length}}}"
    for characters, length in (("a-zA-Z0-9:_-", 128), ("a-zA-Z0-9_-", 64), ("a-zA-Z0-9_-", 128))
)
_OF_THING = [r"\$aws", "things", _T, "jobs"]
_LEVELS = [
    [*_OF_THING, _J, f"notify-namespace-{_N}"],
    [*_OF_THING, f"notify(?:-next)?(?:-namespace-{_N})?"],
    [*_OF_THING, "get", "accepted"],
    [*_OF_THING, rf"\$next|{_J}", "get", "accepted"],
    [*_OF_THING, rf"\$next|{_J}", f"namespace-{_N}", "get", "accepted"],
    [*_OF_THING, _J, "update", "accepted|rejected"],
    [*_OF_THING, _J, f"namespace-{_N}", "update", "accepted|rejected"],
    [*_OF_THING, "start-next", "accepted"],
    [*_OF_THING, "start-next", f"namespace-{_N}", "accepted"],
    [r"\$aws", "events", "job", _J, "|".join(JOB_OPERATIONS)],
    [r"\$aws", "events", "jobExecution", _J, "|".join(EXECUTION_OPERATIONS)],
    [r"\$aws", "events", "thingGroup", _T, "|".join(GROUP_OPERATIONS)],
]
"""The levels of every topic that the product parses."""

Read = tuple[object, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A topic, or a filter."""

    text: str
    is_filter: bool


@contextmanager
def opened() -> Iterator[Target[Case]]:
    """Open the target."""
    yield Target(make=make, check=check)


def make(source: Source) -> Case:
    """Make a topic or a filter."""
    is_filter = source.happens(4)
    base = source.pick(DEFAULT_FILTERS).encode() if source.happens(8) else make_topic(source).encode("utf-8", "replace")
    if is_filter:
        levels = base.split(b"/")
        for _ in range(source.below(4)):
            levels[source.below(len(levels))] = source.pick([b"+", b"#", b"", b"a+", b"#a", b"$share"])
        base = b"/".join(levels)
    return Case(text=source.broken(base, _WORDS).decode("utf-8", "replace"), is_filter=is_filter)


def make_topic(source: Source) -> str:
    """Make a topic that the product parses, sometimes with an invalid name."""
    thing, job, namespace = source.name(THINGS), source.name(JOBS), source.name(NAMESPACES)
    level = "" if source.byte() < 128 else f"namespace-{namespace}/"
    suffix = level.replace("namespace", "-namespace", 1).rstrip("/")
    forms = (
        f"$aws/things/{thing}/jobs/{job}/notify-namespace-{namespace}",
        f"$aws/things/{thing}/jobs/notify{suffix}",
        f"$aws/things/{thing}/jobs/notify-next{suffix}",
        f"$aws/things/{thing}/jobs/{job}/{level}get/accepted",
        f"$aws/things/{thing}/jobs/$next/{level}get/accepted",
        f"$aws/things/{thing}/jobs/{job}/{level}update/{source.pick(['accepted', 'rejected'])}",
        f"$aws/things/{thing}/jobs/get/accepted",
        f"$aws/things/{thing}/jobs/$next/{level}update/accepted",
        f"$aws/things/{thing}/jobs/start-next/{level}accepted",
        f"$aws/events/job/{job}/{source.pick(JOB_OPERATIONS)}",
        f"$aws/events/jobExecution/{job}/{source.pick(EXECUTION_OPERATIONS)}",
        f"$aws/events/thingGroup/{source.name(THINGS)}/{source.pick(GROUP_OPERATIONS)}",
    )
    return source.pick(forms) + source.pick(["", "", "", "/"])


def check(case: Case) -> None:
    """Check that the product and the second parser agree about a topic or a filter."""
    if case.is_filter:
        _check_filter(case.text)
        return
    expected, read = _expected(case.text), _read(case.text)
    expect(that=expected == read, of=(expected, read))
    if expected not in {None, _REFUSED}:
        of = [topic for topic in DEFAULT_FILTERS if topic_matches_sub(topic, case.text)]
        expect(that=len(of) == 1, of="a parsed topic does not match exactly one default filter")


_REFUSED: Read = ("refused",)


def _expected(topic: str) -> Read:
    """Return the content of a topic: its kind, its names, and the rest."""
    for form, kind, told in _FORM:
        if found := form.fullmatch(topic):
            names = found.groupdict()
            if any(name is not None and not _NAMES[key].fullmatch(name) for key, name in names.items()):
                return _REFUSED
            return kind, *(names.get(key) for key in _MEMBERS), told
    return None


def _read(topic: str) -> Read:
    """Return the same from the product's parser."""
    try:
        parsed = parse_topic(topic)
    except MessageError:
        return _REFUSED
    if parsed is None:
        return None
    names = (getattr(parsed, member, None) for member in _MEMBERS.values())
    told = getattr(parsed, "member", None) or getattr(parsed, "operation", None)
    return type(parsed).__name__, *names, told if told is None or told.startswith("exec") else told.lower()


def _reaches(topic_filter: Sequence[str], form: Sequence[str]) -> bool:
    """Return whether a filter matches a topic of a form, with or without an empty level at its end."""
    for levels in (form, [*form, ""]):
        is_open = topic_filter[-1] == "#"
        given = topic_filter[:-1] if is_open else topic_filter
        if (len(given) <= len(levels)) if is_open else (len(given) == len(levels)):
            pairs = zip(given, levels, strict=False)
            if all(level == "+" or re.fullmatch(pattern, level) for level, pattern in pairs):
                return True
    return False


def _check_filter(topic_filter: str) -> None:
    is_right = (
        bool(topic_filter)
        and len(topic_filter.encode()) <= 65_535
        and _FILTER.fullmatch(topic_filter) is not None
        and not topic_filter.startswith(("+", "#"))
        and topic_filter.split("/", maxsplit=1)[0] != "$share"
        and any(_reaches(topic_filter.split("/"), form) for form in _LEVELS)
    )
    problem = filter_problem(topic_filter)
    expect(that=is_right == (problem is None), of=problem)
