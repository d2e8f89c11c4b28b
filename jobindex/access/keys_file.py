"""The keys file: the service reads it, `jobindex keys` changes it."""

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

from jobindex.access.keys import Keys, encode_keys, parse_keys
from jobindex.errors import KeysError


def read_keys(path: Path) -> Keys:
    """Return the keys in a file.

    Raises:
        KeysError: the file cannot be read, or its content is invalid.
    """
    try:
        return parse_keys(path.read_bytes())
    except KeysError as error:
        raise KeysError([f"{path}: {problem}" for problem in error.problems]) from error
    except OSError as error:
        raise KeysError([f"{str(path)!r} cannot be read: {error.strerror}"]) from error


def is_open_to_others(path: Path) -> bool:
    """Return whether every user of this machine may read or write a file."""
    return bool(path.stat().st_mode & stat.S_IRWXO)


def change_keys(path: Path, change: Callable[[Keys], Keys]) -> None:
    """Replace the keys in a file with the result of `change`; a missing file has no keys.

    This is atomic, and concurrent changes wait for each other. A new file is readable only for its owner; an existing
    one keeps its owner and permissions.

    Raises:
        KeysError: the file cannot be read or written, or its content is invalid; nothing was changed.
    """
    path = path.resolve()  # the target of symbolic links
    partial = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            former = path.stat() if path.exists() else None
            keys = change(read_keys(path) if former else Keys())
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if former:
                    os.fchmod(file.fileno(), former.st_mode & 0o777)
                    if (former.st_uid, former.st_gid) != (os.geteuid(), os.getegid()):
                        os.fchown(file.fileno(), former.st_uid, former.st_gid)
                file.write(encode_keys(keys))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeysError([f"{str(path)!r} cannot be changed: {error.strerror}"]) from error
    finally:
        partial.unlink(missing_ok=True)
