"""The pages of the rejected messages."""

from base64 import b64encode
from collections.abc import Iterator

from jobindex.errors import ResourceNotFoundException
from jobindex.model.parameters import Constraints, Integer, parse_parameters
from jobindex.model.store import Store
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager

PARAMETERS: Constraints = {"after": POSITION}
SHOWN_BYTES = 16 * 1024
"""Of a payload that is not text; of text, the number of characters."""

_ID = Integer(least=0, greatest=10**18 - 1)
_LINE_BYTES = 16


async def rejected_page(store: Store, question: Question) -> Page:
    """Return the rejected messages in order of arrival.

    Raises:
        InvalidRequestException: `after` is invalid.
    """
    after = parse_parameters({"after": _ID}, [("after", question.position() or "0")]).integer("after")
    found = await store.rejected_messages(after=after, limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]
    values = {"messages": page, "pager": forward_pager(question, str(page[-1].id) if found[PAGE_SIZE:] else None)}
    return Page(template="rejected.html", title="Rejected messages", section="rejected", values=values)


async def rejected_message_page(store: Store, question: Question) -> Page:
    """Return a rejected message with its payload.

    Raises:
        ResourceNotFoundException: no rejected message has this id.
    """
    id_ = question.subject
    if any(_ID.problems(id_)):
        raise ResourceNotFoundException(f"Rejected message {id_} cannot be found.")
    kept = await store.rejected_message(int(id_))
    payload = kept.message.payload
    text = _text(payload)
    values: dict[str, object] = {
        "kept": kept,
        "size": len(payload),
        "text": None if text is None else text[:SHOWN_BYTES],
        "hex": None if text is not None else "\n".join(_hex(payload[:SHOWN_BYTES])),
        "base64": None if text is not None else b64encode(payload[:SHOWN_BYTES]).decode(),
        "is_cut": len(payload if text is None else text) > SHOWN_BYTES,
    }
    return Page(
        template="rejected_message.html", title=f"Rejected message {kept.id}", section="rejected", values=values
    )


def _text(payload: bytes) -> str | None:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\t\r\n" for character in text) else None


def _hex(payload: bytes) -> Iterator[str]:
    for start in range(0, len(payload), _LINE_BYTES):
        line = payload[start : start + _LINE_BYTES]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        yield f"{start:06x}  {line.hex(' '):<{3 * _LINE_BYTES - 1}}  {text}"
