"""Pages as HTML: a whole page, or the sections that a browser asks for again.

A section that changes while a page is open is a block of its template, named by the section's id. A page's values and
rendered parts are cached; the frame (freshness, number of stuck executions) is rendered for each response.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobindex.access.principals import ANYONE, NOBODY, Principal
from jobindex.durations import lasting
from jobindex.model.views import PENDING
from jobindex.web.ui.freshness import Freshness
from jobindex.web.ui.marks import (
    NOTHING,
    activity,
    badge,
    bar,
    dated,
    details,
    job_badge,
    moment,
    progress,
    said,
    tally,
    when,
)
from jobindex.web.ui.page import Page
from jobindex.web.ui.stuck import COUNT_MAXIMUM
from jobindex.web.ui.times import exact
from jobindex.web.ui.words import count, difference_name, label, run_name

MAIN = "main"
STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame around each page."""

    freshness: Freshness | None = None
    """None if the page shows nothing of the index: it then has neither the strip nor the script that follows events."""
    stuck: int = 0
    """At most COUNT_MAXIMUM."""
    has_reconciliation: bool = False
    """Whether the navigation has the page of the syncs with AWS."""
    now: datetime
    principal: Principal


@dataclass(slots=True, kw_only=True)
class Rendered:
    """A page with the parts rendered so far."""

    page: Page
    now: datetime
    """The time from which its relative times count."""
    parts: dict[str, str] = field(default_factory=dict)

    def size(self) -> int:
        """Return the bytes of the rendered parts."""
        return sum(map(sys.getsizeof, self.parts.values()))


class Renderer:
    """Renders pages; `assets` has the static files' addresses by name, `base_path` precedes every path."""

    def __init__(self, assets: Mapping[str, str], base_path: str = "") -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            activity=activity,
            assets=assets,
            badge=badge,
            bar=bar,
            base=base_path,
            count=count,
            dated=dated,
            details=details,
            difference_name=difference_name,
            job_badge=job_badge,
            label=label,
            lasting=lasting,
            moment=moment,
            nothing=NOTHING,
            pending=PENDING,
            progress=progress,
            run_name=run_name,
            said=said,
            stuck_maximum=COUNT_MAXIMUM,
            tally=tally,
            when=when,
        )
        self._templates.filters.update(exact=exact, number="{:,}".format, segment=_segment)

    def whole(self, rendered: Rendered, frame: Frame) -> str:
        """Return a page as a document."""
        return self._render(
            "frame.html",
            frame,
            main=self._part(rendered, MAIN),
            section=rendered.page.section,
            title=rendered.page.title,
        )

    def status(self, frame: Frame) -> str:
        """Return only the freshness of the index."""
        return self._render("status.html", frame)

    def sections(self, rendered: Rendered, names: Sequence[str], frame: Frame) -> str:
        """Return sections of a page with the freshness; the whole page if it no longer has all of them."""
        blocks = self._templates.get_template(rendered.page.template).blocks
        wanted = names if all(name in blocks for name in names) else (MAIN,)
        return "\n".join((self.status(frame), *(self._part(rendered, name) for name in dict.fromkeys(wanted))))

    def _part(self, rendered: Rendered, name: str) -> str:
        part = rendered.parts.get(name)
        if part is None:
            page = rendered.page
            template = self._templates.get_template(page.template)
            values = {**page.values, "now": rendered.now, "title": page.title}
            if name == MAIN:
                inner = template.render(values)
                part = self._templates.get_template("main.html").render(inner=inner, watched=page.watched)
            else:
                part = "".join(template.blocks[name](template.new_context(values)))
            rendered.parts[name] = part
        return part

    def _render(self, template: str, frame: Frame, **values: object) -> str:
        return self._templates.get_template(template).render(
            freshness=frame.freshness,
            now=frame.now,
            stuck=frame.stuck,
            has_reconciliation=frame.has_reconciliation,
            is_known=frame.principal is not NOBODY,
            is_open=frame.principal is ANYONE,
            name=frame.principal.name,
            sees_all=frame.principal.namespace_ids is None,
            visible=sorted(frame.principal.namespace_ids or ()),
            **values,
        )


def _segment(value: str) -> str:
    return quote(value, safe="")
