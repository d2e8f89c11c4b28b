"""A browser without JavaScript: it reads HTML, follows links and sends forms."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import Request, urlopen

_EMPTY = {"meta", "link", "img", "input", "br", "hr", "option"}


@dataclass
class Form:
    """A form with the values of its fields."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Document(HTMLParser):
    """A page: its text, links, forms and rows."""

    def __init__(self, url: str, status: int, headers: dict[str, str], html: str) -> None:
        super().__init__()
        self.url, self.status, self.headers, self.html = url, status, headers, html
        self.links: dict[str, str] = {}
        self.forms: list[Form] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self._pieces: list[str] = []
        self._link: tuple[str, int] | None = None
        self._cell: int | None = None
        self._select: str | None = None
        self._is_open = False
        self.feed(html)

    @property
    def text(self) -> str:
        """The visible text, with single spaces."""
        return _plain(self._pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record links, forms, fields and rows."""
        given = dict(attrs)
        self.attributes += [(tag, name, value) for name, value in attrs]
        match tag:
            case "a":
                self._link = (given.get("href") or "", len(self._pieces))
            case "form":
                self.forms.append(Form(action=given.get("action") or urlsplit(self.url)._replace(query="").geturl()))
            case "input":
                self.forms[-1].fields[given["name"] or ""] = given.get("value") or ""
            case "select":
                self._select = given["name"] or ""
            case "option" if self._select is not None:
                fields = self.forms[-1].fields
                self._is_open = False
                if self._select not in fields or "selected" in given:
                    fields[self._select] = given.get("value") or ""
                    self._is_open = "value" not in given
            case "tr":
                self.rows.append([])
            case "td" | "th":
                self._cell = len(self._pieces)
        if tag not in _EMPTY and tag not in {"span", "b"}:
            self._pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Record the text of a link or a cell."""
        if tag == "a" and self._link is not None:
            href, start = self._link
            self.links[_plain(self._pieces[start:])] = href
            self._link = None
        elif tag in {"td", "th"} and self._cell is not None:
            self.rows[-1].append(_plain(self._pieces[self._cell :]))
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        """Record text, which is an option's value if the option has no other."""
        self._pieces.append(data)
        if self._is_open and self._select is not None:
            self.forms[-1].fields[self._select] = data
            self._is_open = False

    def column(self, number: int) -> list[str]:
        """Return a column of the table without its header."""
        return [row[number] for row in self.rows[1:]]

    def follow(self, text: str) -> "Document":
        """Follow the link with this text."""
        return read(urljoin(self.url, self.links[text]))

    def send(self, number: int = 0, /, **fields: str) -> "Document":
        """Send a form with some of its fields filled in."""
        form = self.forms[number]
        assert set(fields) <= set(form.fields)
        return read(urljoin(self.url, form.action) + "?" + urlencode({**form.fields, **fields}))


def read(url: str, **headers: str) -> Document:
    """Read a page, including redirects and error pages."""
    request = Request(url, headers={"accept": "text/html", **headers})
    try:
        with urlopen(request, timeout=10) as answer:
            return Document(answer.url, answer.status, _lower(answer.headers.items()), answer.read().decode())
    except HTTPError as error:
        with error:
            return Document(error.url or url, error.code, _lower(error.headers.items()), error.read().decode())


def _lower(headers: object) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}  # type: ignore[attr-defined]


def _plain(pieces: list[str]) -> str:
    return re.sub(r"\s+", " ", "".join(pieces)).strip()
