"""Computed fragments of HTML: times, badges, bars and charts.

Charts are SVG with attributes only, because the pages allow no inline style. Each has a text alternative.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from jinja2.runtime import Context
from jinja2.utils import pass_context
from markupsafe import Markup

from jobindex.model.jobs import JobStatus
from jobindex.model.views import ExecutionAttempt, ExecutionState
from jobindex.web.ui.times import exact, relative
from jobindex.web.ui.words import count, counted, explained, label, outcome

_UNKNOWN = Markup('<span class="unknown">unknown</span>')
NOTHING = Markup(
    '<span class="unknown" title="unknown"><span aria-hidden="true">&ndash;</span>'
    '<span class="unseen">unknown</span></span>'
)
"""For a table, which may have many unknown values."""
_DETAILS_SHOWN, _DETAIL_SHOWN = 6, 200
"""The members of `statusDetails` in a row, and the characters of each."""
_HEIGHT = 24
_STEP = 5


@pass_context
def when(context: Context, time: datetime | None) -> Markup:
    """Return a time's age, with the exact time as a tooltip."""
    if time is None:
        return NOTHING
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
        time.isoformat(timespec="milliseconds"), exact(time), relative(time, context["now"])
    )


@pass_context
def moment(context: Context, time: datetime | None) -> Markup:
    """Return a time's age and the exact time."""
    if time is None:
        return _UNKNOWN
    return when(context, time) + Markup(' <span class="exact">{}</span>').format(exact(time))


@pass_context
def dated(context: Context, time: datetime) -> Markup:
    """Return a time to the minute, with its date unless it is today's; unlike an age it never needs an update."""
    is_today = time.date() == context["now"].date()
    return Markup('<time datetime="{}" title="{}">{} UTC</time>').format(
        time.isoformat(timespec="milliseconds"), exact(time), time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")
    )


def badge(status: StrEnum | None) -> Markup:
    """Return a status as coloured text."""
    if status is None:
        return _UNKNOWN
    title = explained(status) if isinstance(status, ExecutionState) else label(status)
    return Markup('<span class="badge s-{}" title="{}">{}</span>').format(status.value, title, label(status))


def job_badge(status: JobStatus, failures: int, *, is_reported: bool) -> Markup:
    """Return a job's status as coloured text; completion with failures has its own colour."""
    name = "COMPLETED_WITH_FAILURES" if status is JobStatus.COMPLETED and failures else status.value
    drawn = Markup('<span class="badge s-{}">{}</span>').format(name, outcome(status, failures))
    return drawn if is_reported else drawn + Markup(' <span class="hint">inferred</span>')


def details(attempt: ExecutionAttempt) -> Markup:
    """Return an attempt's statusDetails, a line each; a long one is cut, with its full text as a tooltip."""
    found = attempt.status_details or {}
    lines = [
        Markup('<li title="{}">{}: {}</li>').format(value if len(value) > _DETAIL_SHOWN else "", name, _cut(value))
        for name, value in list(found.items())[:_DETAILS_SHOWN]
    ]
    if len(found) > _DETAILS_SHOWN:
        lines.append(Markup('<li class="hint">and {} more</li>').format(len(found) - _DETAILS_SHOWN))
    if attempt.is_status_details_cut:
        lines.append(Markup('<li class="hint">others were too long to store</li>'))
    return Markup('<ul class="details">{}</ul>').format(Markup("").join(lines)) if lines else Markup("")


def _cut(text: str) -> str:
    return text if len(text) <= _DETAIL_SHOWN else f"{text[:_DETAIL_SHOWN]}…"


def bar(executions: Mapping[ExecutionState, int]) -> Markup:
    """Return the known executions by state, as a bar."""
    total = sum(executions.values())
    start = 0.0
    pieces = []
    for state in _ordered(executions):
        width = 100 * executions[state] / total
        pieces.append(
            Markup('<rect class="s-{}" x="{}" width="{}" height="4"/>').format(
                state.value, round(start, 2), round(width, 2)
            )
        )
        start += width
    return Markup(
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="Executions: {}">'
        "{}</svg>"
    ).format(counted({state: executions[state] for state in _ordered(executions)}), Markup("").join(pieces))


def progress(done: int, total: int) -> Markup:
    """Return the finished part of a total, as a bar."""
    width = round(100 * done / total, 2)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="{} of {}">'
        '<rect class="s-IN_PROGRESS" x="0" width="{}" height="4"/></svg>'
    ).format(f"{done:,}", f"{total:,}", width)


def said(value: str | None) -> Markup:
    """Return a value of the index or of AWS; a status has its colour."""
    if value is None:
        return Markup('<span class="unknown">nothing</span>')
    if value in {*JobStatus, *ExecutionState}:
        return Markup('<span class="badge s-{}">{}</span>').format(value, label(value))
    return Markup("{}").format(value)


def tally(numbers: Mapping[ExecutionState, int] | Mapping[JobStatus, int]) -> Markup:
    """Return the count of each status, with its colour."""
    if not numbers:
        return Markup('<span class="unknown">none</span>')
    return Markup('<ul class="tally">{}</ul>').format(
        Markup("").join(
            Markup('<li><span class="dot s-{}"></span>{} <b>{}</b></li>').format(
                status.value, label(status), f"{number:,}"
            )
            for status, number in sorted(numbers.items(), key=_order)
        )
    )


def activity(hours: Sequence[int], name: str) -> Markup:
    """Return a chart of the changes per hour, oldest first; it has one path, because a page has many charts."""
    greatest = max(hours, default=0)
    # A single change is visible: no bar is lower than two units.
    heights = [max(2, round(number / greatest * _HEIGHT)) if number else 0 for number in hours]
    path = "".join(
        f"M{index * _STEP} {_HEIGHT}v-{height}h{_STEP - 1}v{height}z" for index, height in enumerate(heights) if height
    )
    text = f"{count(sum(hours), 'change')} in {len(hours)} hours, {hours[-1] if hours else 0:,} in the last hour"
    return Markup(
        '<svg class="activity" viewBox="0 0 {} {}" role="img" aria-label="{}: {}">'
        '<path class="ground" d="M0 {}h{}"/><path d="{}"/></svg>'
    ).format(len(hours) * _STEP - 1, _HEIGHT + 1, name, text, f"{_HEIGHT}.5", len(hours) * _STEP - 1, path)


def _ordered(executions: Mapping[ExecutionState, int]) -> Sequence[ExecutionState]:
    return [status for status in _BAR if executions.get(status)]


def _order(item: tuple[StrEnum, int]) -> int:
    status, _ = item
    return _BAR.index(status) if isinstance(status, ExecutionState) else list(JobStatus).index(JobStatus(status))


_BAR = (
    ExecutionState.SUCCEEDED,
    ExecutionState.FAILED,
    ExecutionState.REJECTED,
    ExecutionState.TIMED_OUT,
    ExecutionState.CANCELED,
    ExecutionState.REMOVED,
    ExecutionState.ENDED,
    ExecutionState.IN_PROGRESS,
    ExecutionState.QUEUED,
)
"""Successes first, pending executions last."""
