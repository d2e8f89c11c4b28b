"""MQTT topics: the meaning of each form, ignored topics, and refused names."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.messages.topics import (
    DEFAULT_FILTERS,
    ExecutionAnswer,
    JobEvent,
    JobExecutionEvent,
    JobNotification,
    NextNotification,
    PendingAnswer,
    PendingNotification,
    ThingGroupEvent,
    Topic,
    filter_problem,
    parse_topic,
)
from jobindex.model.jobs import JobExecutionStatus, JobStatus

NAMESPACE = "aws-gg-deployment"
NAMESPACE_IDS = st.from_regex(r"(next-|namespace-|notify-|notify-next-)?[a-zA-Z0-9_-]{1,30}", fullmatch=True)
THING_NAMES = st.from_regex(r"[a-zA-Z0-9:_-]{1,128}", fullmatch=True)
JOB_IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)


def _answer(
    job_id: str | None,
    namespace_id: str | None,
    member: Literal["execution", "executionState"],
    *,
    is_rejection: bool = False,
) -> ExecutionAnswer:
    return ExecutionAnswer(
        thing_name="T", job_id=job_id, namespace_id=namespace_id, member=member, is_rejection=is_rejection
    )


MEANINGS: list[tuple[str, Topic]] = [
    (f"J/notify-namespace-{NAMESPACE}", JobNotification(thing_name="T", job_id="J", namespace_id=NAMESPACE)),
    ("J/notify-namespace-next-1", JobNotification(thing_name="T", job_id="J", namespace_id="next-1")),
    ("J/notify-namespace-namespace-1", JobNotification(thing_name="T", job_id="J", namespace_id="namespace-1")),
    ("notify/notify-namespace-n", JobNotification(thing_name="T", job_id="notify", namespace_id="n")),
    ("accepted/notify-namespace-n", JobNotification(thing_name="T", job_id="accepted", namespace_id="n")),
    ("notify", PendingNotification(thing_name="T", namespace_id=None)),
    (f"notify-namespace-{NAMESPACE}", PendingNotification(thing_name="T", namespace_id=NAMESPACE)),
    ("notify-namespace-next-namespace-n", PendingNotification(thing_name="T", namespace_id="next-namespace-n")),
    ("notify-namespace-namespace-", PendingNotification(thing_name="T", namespace_id="namespace-")),
    ("notify-namespace-next-", PendingNotification(thing_name="T", namespace_id="next-")),
    ("notify-namespace--", PendingNotification(thing_name="T", namespace_id="-")),
    ("notify-next", NextNotification(thing_name="T", namespace_id=None)),
    (f"notify-next-namespace-{NAMESPACE}", NextNotification(thing_name="T", namespace_id=NAMESPACE)),
    ("notify-next-namespace-namespace-n", NextNotification(thing_name="T", namespace_id="namespace-n")),
    ("notify-next-namespace-next-n", NextNotification(thing_name="T", namespace_id="next-n")),
    ("get/accepted", PendingAnswer(thing_name="T")),
    ("J/get/accepted", _answer("J", None, "execution")),
    ("J/namespace-n/get/accepted", _answer("J", "n", "execution")),
    ("$next/get/accepted", _answer(None, None, "execution")),
    (f"$next/namespace-{NAMESPACE}/get/accepted", _answer(None, NAMESPACE, "execution")),
    ("J/namespace-namespace-next-n/get/accepted", _answer("J", "namespace-next-n", "execution")),
    ("start-next/accepted", _answer(None, None, "execution")),
    ("start-next/namespace-n/accepted", _answer(None, "n", "execution")),
    ("start-next/namespace-namespace-n/accepted", _answer(None, "namespace-n", "execution")),
    ("J/update/accepted", _answer("J", None, "executionState")),
    (f"J/namespace-{NAMESPACE}/update/accepted", _answer("J", NAMESPACE, "executionState")),
    ("J/update/rejected", _answer("J", None, "executionState", is_rejection=True)),
    (f"J/namespace-{NAMESPACE}/update/rejected", _answer("J", NAMESPACE, "executionState", is_rejection=True)),
    ("start-next/get/accepted", _answer("start-next", None, "execution")),
    ("start-next/namespace-n/update/accepted", _answer("start-next", "n", "executionState")),
    ("get/get/accepted", _answer("get", None, "execution")),
    ("namespace-n/get/accepted", _answer("namespace-n", None, "execution")),
]
EVENT_MEANINGS: list[tuple[str, Topic]] = [
    ("job/J/completed", JobEvent(job_id="J", operation=JobStatus.COMPLETED)),
    ("job/J/canceled", JobEvent(job_id="J", operation=JobStatus.CANCELED)),
    ("job/J/cancellation_in_progress", JobEvent(job_id="J", operation=JobStatus.CANCELED)),
    ("job/J/deletion_in_progress", JobEvent(job_id="J", operation=JobStatus.DELETION_IN_PROGRESS)),
    ("job/J/deleted", JobEvent(job_id="J", operation="deleted")),
    ("jobExecution/J/succeeded", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.SUCCEEDED)),
    ("jobExecution/J/failed", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.FAILED)),
    ("jobExecution/J/rejected", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.REJECTED)),
    ("jobExecution/J/canceled", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.CANCELED)),
    ("jobExecution/J/timed_out", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.TIMED_OUT)),
    ("jobExecution/J/removed", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.REMOVED)),
    ("jobExecution/J/deleted", JobExecutionEvent(job_id="J", operation=JobExecutionStatus.DELETED)),
    ("thingGroup/G:1/created", ThingGroupEvent(thing_group_name="G:1")),
    ("thingGroup/G:1/updated", ThingGroupEvent(thing_group_name="G:1")),
    ("thingGroup/G:1/deleted", ThingGroupEvent(thing_group_name="G:1")),
]
ALL_MEANINGS = [(f"$aws/things/T/jobs/{rest}", meaning) for rest, meaning in MEANINGS] + [
    (f"$aws/events/{rest}", meaning) for rest, meaning in EVENT_MEANINGS
]


def test_the_default_filters_hold_no_wildcard_inside_a_level() -> None:
    """The service subscribes to four filters, in which each wildcard fills its level."""
    expected = (
        "$aws/things/+/jobs/#",
        "$aws/events/job/#",
        "$aws/events/jobExecution/#",
        "$aws/events/thingGroup/#",
    )
    assert expected == DEFAULT_FILTERS


@pytest.mark.parametrize(
    "topic_filter",
    [
        *DEFAULT_FILTERS,
        "$aws/things/+/jobs/+/notify-namespace-n",
        "$aws/things/+/jobs/+/notify-namespace-n/",
        "$aws/things/+/jobs/+/+/#",
        "$aws/#",
        "$aws/events/jobExecution/+/succeeded",
        "$aws/+/+/jobs/notify-next/",
        "$aws/+/+/+/#",
        "$aws/+/+/+/+",
        "$aws/events/+/+/timed_out",
        "$aws/events/job/J/deleted/#",
        "$aws/events/job/J/deleted/+",
        "$aws/events/job/J/deleted/+/#",
        "$aws/things/T/jobs/+/+/rejected",
        "$aws/things/+/jobs/$next/+/+/accepted",
        "$aws/things/+/jobs/start-next/+/accepted",
    ],
)
def test_a_valid_filter_has_no_problem(topic_filter: str) -> None:
    """A filter is valid if its wildcards fill their levels."""
    assert filter_problem(topic_filter) is None


INSIDE_A_LEVEL = "a '+' must fill its level (MQTT-4.7.1-3); subscribe to $aws/things/+/jobs/# and filter by namespaceId"
SHARED = "a shared subscription delivers only part of the messages to each subscriber, but the index needs all"
NOT_LAST = "a '#' must be the last level (MQTT-4.7.1-2)"
NEVER_AWS = "a filter that starts with a wildcard never matches a topic that starts with '$' (MQTT-4.7.2-1)"


@pytest.mark.parametrize(
    ("topic_filter", "problem"),
    [
        ("", "is not a topic filter"),
        ("$aws/\0", "is not a topic filter"),
        ("$aws/" + "é" * 32_766, "is longer than 65535 bytes"),
        ("$share/group/$aws/things/+/jobs/#", SHARED),
        ("$aws/things/+/jobs/+/notify-namespace-+", INSIDE_A_LEVEL),
        ("$aws/things/T+/jobs/#", INSIDE_A_LEVEL),
        ("$aws/things/++/jobs/#", INSIDE_A_LEVEL),
        ("$aws/things/#/jobs", NOT_LAST),
        ("$aws/things/T#", NOT_LAST),
        ("$aws/things/T/jobs/##", NOT_LAST),
        ("#/", NOT_LAST),
        ("#", NEVER_AWS),
        ("+", NEVER_AWS),
        ("+/things/+/jobs/#", NEVER_AWS),
    ],
)
def test_a_filter_that_is_wrong_or_never_matches_is_explained(topic_filter: str, problem: str) -> None:
    """A wrong filter is reported before a broker drops the connection because of it."""
    assert problem == filter_problem(topic_filter)


NO_TOPIC = "no topic of AWS IoT Jobs matches it, so nothing would be indexed"
THE_TOPICS = f"{NO_TOPIC}; the topics are those of {', '.join(DEFAULT_FILTERS)}"


@pytest.mark.parametrize(
    "topic_filter",
    [
        "sensors/#",
        "$aws",
        "$aws/",
        "$SYS/#",
        "$aws/things/+/jobs",
        "$aws/things/+/shadow/#",
        "$aws/things/+/jobs/+/notify-next",
        "$aws/things/+/jobs/+/update",
        "$aws/things/+/jobs/+/get/rejected",
        "$aws/things/a b/jobs/#",
        "$aws/things/+/jobs/+/notify-namespace-",
        "$aws/events/job/+/created",
        "$aws/events/+/+/queued",
        "$aws/events/job/J/completed/more",
        "$aws/events/job/J/completed/+/+",
        "$aws/events/presence/#",
    ],
)
def test_a_filter_under_which_no_topic_is_understood_is_refused(topic_filter: str) -> None:
    """A filter that matches only topics without a meaning would index nothing."""
    assert THE_TOPICS == filter_problem(topic_filter)


def test_a_bridges_prefix_is_a_setting_and_not_a_part_of_the_filters() -> None:
    """A filter with a prefix is refused with and without the setting, which the problem names (case 12)."""
    bridged = "site1/$aws/things/+/jobs/#"
    hint = "if a bridge puts 'site1/' before its topics, set it as the topic prefix"
    assert f"{NO_TOPIC}; {hint}" == filter_problem(bridged)
    assert f"{NO_TOPIC}; write it without the topic prefix 'site1/'" == filter_problem(bridged, "site1/")
    assert filter_problem("$aws/things/+/jobs/#", "site1/") is None
    assert NOT_LAST == filter_problem("$aws/things/#/jobs", "site1/")
    assert SHARED == filter_problem("$aws/things/+/jobs/#", "$share/group/")
    assert "is longer than 65535 bytes" == filter_problem("$aws/things/+/jobs/#", "s" * 65_530)


def test_behind_a_prefix_a_filter_may_start_with_a_wildcard() -> None:
    """A `$` hides a topic from wildcards only at the start of the topic."""
    assert NEVER_AWS == filter_problem("+/things/+/jobs/#")
    assert filter_problem("+/things/+/jobs/#", "site1/") is None
    assert filter_problem("#", "site1/") is None


@pytest.mark.parametrize(("topic", "meaning"), ALL_MEANINGS)
def test_a_prefix_is_taken_off_every_topic(topic: str, meaning: Topic) -> None:
    """A topic has its meaning only behind the configured prefix."""
    parsed = parse_topic(f"site1/{topic}", "site1/")
    assert (type(meaning), meaning) == (type(parsed), parsed)
    for other in (topic, f"site2/{topic}", f"site1/site1/{topic}", f"/site1/{topic}"):
        assert parse_topic(other, "site1/") is None


@given(topic=st.sampled_from([topic for topic, _ in ALL_MEANINGS]), data=st.data())
def test_every_filter_that_matches_an_understood_topic_is_accepted(topic: str, data: st.DataObject) -> None:
    """Wildcards may replace any levels of an understood topic but the first."""
    levels = topic.split("/")
    wild = [data.draw(st.booleans()) if index else False for index in range(len(levels))]
    filtered = ["+" if is_wild else level for level, is_wild in zip(levels, wild, strict=True)]
    cut = data.draw(st.integers(1, len(levels)))
    assert filter_problem("/".join(filtered)) is None
    assert filter_problem("/".join([*filtered[:cut], "#"])) is None


@pytest.mark.parametrize(("topic", "meaning"), ALL_MEANINGS)
def test_a_topic_has_its_meaning_with_and_without_a_trailing_slash(topic: str, meaning: Topic) -> None:
    """Every form may have an empty level at its end."""
    for written in (topic, f"{topic}/"):
        parsed = parse_topic(written)
        assert (type(meaning), meaning) == (type(parsed), parsed)


@pytest.mark.parametrize(("topic", "_meaning"), ALL_MEANINGS)
def test_only_one_empty_level_is_dropped(topic: str, _meaning: Topic) -> None:
    """A topic with two slashes at the end, or with an empty level in front, has no meaning."""
    assert parse_topic(f"{topic}//") is None
    assert parse_topic(f"/{topic}") is None


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "/",
        "$aws",
        "$aws/things/T",
        "$aws/things/T/jobs",
        "$aws/things/T/jobs/",
        "$aws/things/T/shadow/update/accepted",
        "$aws/things/T/jobs/get",
        "$aws/things/T/jobs/get/rejected",
        "$aws/things/T/jobs/namespace-n/get/accepted/more",
        "$aws/things/T/jobs/start-next",
        "$aws/things/T/jobs/start-next/rejected",
        "$aws/things/T/jobs/start-next/other-n/accepted",
        "$aws/things/T/jobs/accepted",
        "$aws/things/T/jobs/J/accepted",
        "$aws/things/T/jobs/J/get",
        "$aws/things/T/jobs/J/get/rejected",
        "$aws/things/T/jobs/J/update",
        "$aws/things/T/jobs/J/update/other",
        "$aws/things/T/jobs/J/namespace-n/update",
        "$aws/things/T/jobs/J/namespace-n/get/rejected",
        "$aws/things/T/jobs/start-next/namespace-n/rejected",
        "$aws/things/T/jobs/$next/update/rejected",
        "$aws/things/T/jobs/J/delete/accepted",
        "$aws/things/T/jobs/J/namespace-n/delete/accepted",
        "$aws/things/T/jobs/J/other-n/get/accepted",
        "$aws/things/T/jobs/J/x/namespace-n/get/accepted",
        "$aws/things/T/jobs/$next/update/accepted",
        "$aws/things/T/jobs/$next/namespace-n/update/accepted",
        "$aws/things/T/jobs/notify-other",
        "$aws/things/T/jobs/notify-namespace",
        "$aws/things/T/jobs/notify-nextnamespace-n",
        "$aws/things/T/jobs/Notify",
        "$aws/things/T/jobs/J/notify",
        "$aws/things/T/jobs/J/notify-next",
        "$aws/things/T/jobs/J/notify-next-namespace-n",
        "$aws/things/T/jobs/J/K/notify-namespace-n",
        "$aws/events/job/J",
        "$aws/events/job/J/created",
        "$aws/events/job/J/COMPLETED",
        "$aws/events/job/J/in_progress",
        "$aws/events/job/J/completed/more",
        "$aws/events/jobExecution/J/queued",
        "$aws/events/jobExecution/J/in_progress",
        "$aws/events/jobExecution/J/T/succeeded",
        "$aws/events/thingGroup/G/other",
        "$aws/events/thingGroupMembership/thingGroup/G/thing/T/added",
        "things/T/jobs/notify",
        "aws/things/T/jobs/notify",
        # Names in ignored topics are not checked.
        "$aws/things/no thing/jobs/J/get",
        "$aws/events/job/no job/created",
    ],
)
def test_other_topics_mean_nothing(topic: str) -> None:
    """Requests, rejections and other topics under the filters are not errors."""
    assert parse_topic(topic) is None


LONG_THING_NAME, LONG_JOB_ID, LONG_NAMESPACE_ID = "t" * 129, "j" * 65, "n" * 129


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("$aws/things//jobs/notify", "thing name in the topic: '' is not a match of [a-zA-Z0-9:_-]{1,128}"),
        ("$aws/things/a b/jobs/notify", "thing name in the topic: 'a b' is not a match of [a-zA-Z0-9:_-]{1,128}"),
        ("$aws/things/é/jobs/notify-next", "thing name in the topic: 'é' is not a match of [a-zA-Z0-9:_-]{1,128}"),
        (
            "$aws/things/T\n/jobs/notify-namespace-n",
            r"thing name in the topic: 'T\n' is not a match of [a-zA-Z0-9:_-]{1,128}",
        ),
        (
            "$aws/things/+/jobs/notify-next-namespace-n",
            "thing name in the topic: '+' is not a match of [a-zA-Z0-9:_-]{1,128}",
        ),
        (
            "$aws/things/a.b/jobs/J/notify-namespace-n",
            "thing name in the topic: 'a.b' is not a match of [a-zA-Z0-9:_-]{1,128}",
        ),
        (
            f"$aws/things/{LONG_THING_NAME}/jobs/J/get/accepted",
            f"thing name in the topic: '{'t' * 99}… (131 characters) is not a match of [a-zA-Z0-9:_-]{{1,128}}",
        ),
        (
            f"$aws/things/T/jobs/{LONG_JOB_ID}/notify-namespace-n",
            f"job id in the topic: '{LONG_JOB_ID}' is not a match of [a-zA-Z0-9_-]{{1,64}}",
        ),
        (
            "$aws/things/T/jobs/$next/notify-namespace-n",
            "job id in the topic: '$next' is not a match of [a-zA-Z0-9_-]{1,64}",
        ),
        (
            "$aws/things/T/jobs/a:b/namespace-n/update/accepted",
            "job id in the topic: 'a:b' is not a match of [a-zA-Z0-9_-]{1,64}",
        ),
        ("$aws/things/T/jobs//get/accepted", "job id in the topic: '' is not a match of [a-zA-Z0-9_-]{1,64}"),
        ("$aws/events/job//completed", "job id in the topic: '' is not a match of [a-zA-Z0-9_-]{1,64}"),
        ("$aws/events/job/J\n/deleted", r"job id in the topic: 'J\n' is not a match of [a-zA-Z0-9_-]{1,64}"),
        ("$aws/events/jobExecution/J J/deleted", "job id in the topic: 'J J' is not a match of [a-zA-Z0-9_-]{1,64}"),
        (
            "$aws/events/thingGroup/G.1/created",
            "thing group name in the topic: 'G.1' is not a match of [a-zA-Z0-9:_-]{1,128}",
        ),
        (
            "$aws/things/T/jobs/notify-namespace-",
            "namespace id in the topic: '' is not a match of [a-zA-Z0-9_-]{1,128}",
        ),
        (
            "$aws/things/T/jobs/notify-next-namespace-/",
            "namespace id in the topic: '' is not a match of [a-zA-Z0-9_-]{1,128}",
        ),
        (
            "$aws/things/T/jobs/J/notify-namespace-a:b",
            "namespace id in the topic: 'a:b' is not a match of [a-zA-Z0-9_-]{1,128}",
        ),
        (
            "$aws/things/T/jobs/$next/namespace-/get/accepted",
            "namespace id in the topic: '' is not a match of [a-zA-Z0-9_-]{1,128}",
        ),
        (
            "$aws/things/T/jobs/start-next/namespace-ñ/accepted",
            "namespace id in the topic: 'ñ' is not a match of [a-zA-Z0-9_-]{1,128}",
        ),
        *(
            (
                f"$aws/things/T/jobs/{form.format(LONG_NAMESPACE_ID)}",
                f"namespace id in the topic: '{'n' * 99}… (131 characters) is not a match of [a-zA-Z0-9_-]{{1,128}}",
            )
            for form in (
                "J/notify-namespace-{}",
                "notify-namespace-{}",
                "notify-next-namespace-{}",
                "J/namespace-{}/update/accepted",
                "start-next/namespace-{}/accepted",
            )
        ),
    ],
)
def test_a_name_outside_its_pattern_is_refused(topic: str, reason: str) -> None:
    """A topic that has a meaning is an error if AWS does not allow a name in it."""
    with pytest.raises(MessageError) as caught:
        parse_topic(topic)
    assert reason == str(caught.value)


@given(thing_name=THING_NAMES, job_id=JOB_IDS, namespace_id=NAMESPACE_IDS)
def test_any_allowed_names_come_out_as_they_went_in(thing_name: str, job_id: str, namespace_id: str) -> None:
    """A namespace that begins like a topic level, or contains one, is never cut."""
    jobs = f"$aws/things/{thing_name}/jobs"
    expected: list[Topic | None] = [
        JobNotification(thing_name=thing_name, job_id=job_id, namespace_id=namespace_id),
        PendingNotification(thing_name=thing_name, namespace_id=namespace_id),
        NextNotification(thing_name=thing_name, namespace_id=namespace_id),
        ExecutionAnswer(thing_name=thing_name, job_id=job_id, namespace_id=namespace_id, member="executionState"),
        ExecutionAnswer(thing_name=thing_name, job_id=None, namespace_id=namespace_id, member="execution"),
    ]
    parsed = [
        parse_topic(f"{jobs}/{job_id}/notify-namespace-{namespace_id}/"),
        parse_topic(f"{jobs}/notify-namespace-{namespace_id}"),
        parse_topic(f"{jobs}/notify-next-namespace-{namespace_id}"),
        parse_topic(f"{jobs}/{job_id}/namespace-{namespace_id}/update/accepted"),
        parse_topic(f"{jobs}/start-next/namespace-{namespace_id}/accepted"),
    ]
    assert [(type(topic), topic) for topic in expected] == [(type(topic), topic) for topic in parsed]
