"""The file that holds the keys: read by the service, changed by `jobindex keys`."""

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
        KeysError: it cannot be read, or something in it cannot be.
    """
    try:
        return parse_keys(path.read_bytes())
    except KeysError as error:
        raise KeysError([f"{path}: {problem}" for problem in error.problems]) from error
    except OSError as error:
        raise KeysError([f"{str(path)!r} cannot be read: {error.strerror}"]) from error


def is_open_to_others(path: Path) -> bool:
    """Tell whether every user of this machine may read or write a keys file."""
    return bool(path.stat().st_mode & stat.S_IRWXO)


def change_keys(path: Path, change: Callable[[Keys], Keys]) -> None:
    """Put what `change` makes of the keys in a file in their place; without a file there are none.

    Readers see the former keys or the new ones, whole; of two who change them at once one waits. A new file is
    readable for its owner alone; one that was there keeps its owner and its rights.

    Raises:
        KeysError: it cannot be read or written, or something in it cannot be; nothing was changed.
    """
    path = path.resolve()  # the name that symbolic links lead to
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
