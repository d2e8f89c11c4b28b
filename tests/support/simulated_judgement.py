"""Judges an index by an ideal reader's knowledge of a simulated fleet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from support.simulated_aws import SimulatedFleet
from support.simulated_evidence import Message
from support.simulated_executions import execution_facts
from support.simulated_jobs import job_facts
from support.simulated_knowledge import Basis, Evidence, Fact, Known

Answer = Mapping[str, object]

_KINDS = {Basis.STATED: "", Basis.SUCCESSION: " (counted)", Basis.SILENCE: " (silence)"}


class Answers(Protocol):
    """An index's answers, by AWS's member names; times are milliseconds since the epoch, statusDetails are flat."""

    def job(self, job_id: str) -> Answer | None:
        """Return a job as DescribeJob does; None if there is none."""

    def execution(self, job_id: str, thing_name: str) -> Answer | None:
        """Return an execution as DescribeJobExecution does; None if there is none.

        `attempts` maps the number of each former attempt to its `status` and `statusDetails`.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A member whose answer differs from an ideal reader's knowledge."""

    fact: Fact
    answer: object

    def __str__(self) -> str:
        fact, known = self.fact, self.fact.knowledge
        number = "" if fact.number is None else f" #{fact.number}"
        expected = f"{known.value!r} ({known.match.name}, {known.basis.name})" if isinstance(known, Known) else ""
        return f"{fact.job_id} {fact.thing_name or ''}{number} {fact.member}: {self.answer!r}, not {expected}"


@dataclass(slots=True, kw_only=True)
class Judgement:
    """Counts of judged, wrong and excluded members, and each mistake."""

    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind (job, execution; separately if the reader must count events or conclude from silence) and member."""
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    excluded: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By kind, member and reason."""
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, other: "Judgement") -> None:
        """Add the judgement of another fleet."""
        self.judged += other.judged
        self.wrong += other.wrong
        self.excluded += other.excluded
        self.mistakes += other.mistakes


def knowable(fleet: SimulatedFleet, messages: Iterable[Message] | None = None) -> Iterator[Fact]:
    """Yield an ideal reader's knowledge from these messages (default: all of the fleet)."""
    evidence = Evidence(fleet, messages)
    for job_id in fleet.job_lives:
        yield from job_facts(evidence, job_id)
    for key in fleet.execution_lives:
        yield from execution_facts(evidence, key)


def judge(fleet: SimulatedFleet, answers: Answers, messages: Iterable[Message] | None = None) -> Sequence[Mistake]:
    """Return every wrong member."""
    return judged(fleet, answers, messages).mistakes


def judged(fleet: SimulatedFleet, answers: Answers, messages: Iterable[Message] | None = None) -> Judgement:
    """Compare an index's answers with the knowledge.

    If a known job or execution is missing, that is one mistake, and its members are not judged.
    """
    judgement = Judgement()
    for fact in knowable(fleet, messages):
        kind = "job" if fact.thing_name is None else "execution"
        if not isinstance(fact.knowledge, Known):
            judgement.excluded[kind, fact.member, fact.knowledge.reason] += 1
            continue
        answer = (
            answers.job(fact.job_id) if fact.thing_name is None else answers.execution(fact.job_id, fact.thing_name)
        )
        if fact.member != "exists" and answer is None:
            continue
        kind += _KINDS[fact.knowledge.basis]
        judgement.judged[kind, fact.member] += 1
        value = _value(fact, answer)
        if not fact.knowledge.accepts(value):
            judgement.wrong[kind, fact.member] += 1
            judgement.mistakes.append(Mistake(fact=fact, answer=value))
    return judgement


def _value(fact: Fact, answer: Answer | None) -> object:
    if fact.member == "exists":
        return answer is not None
    assert answer is not None
    if fact.number is None:
        value = answer.get(fact.member)
        if fact.member == "targets" and isinstance(value, Sequence):
            return [*value]
    else:
        attempts = answer.get("attempts")
        attempt = attempts.get(fact.number) if isinstance(attempts, Mapping) else None
        if attempt is None:
            return None
        value = attempt.get(fact.member.removeprefix("attempt "))
    if fact.member.endswith("statusDetails"):
        return {} if value is None else value
    return value
