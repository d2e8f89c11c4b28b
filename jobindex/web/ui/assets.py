"""The stylesheet, the script and the icon, at addresses with their hashes: browsers cache them permanently."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A static file."""

    content: bytes
    media_type: str
    digest: str


def read_assets() -> Mapping[str, Asset]:
    """Return the static files by name."""
    return {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content=content, media_type=_TYPES[path.suffix], digest=sha256(content).hexdigest()[:16])
