"""Checks that folder names are enough to read the package: rooms, short files, and one class for each name."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOMS = {"access", "aws", "cli", "config", "ingest", "messages", "model", "monitoring", "storage", "web"}
LOOSE_FILES_MAXIMUM = 8
LINES_MAXIMUM = 400


def main() -> int:
    """Print every problem; return 1 if there is any."""
    listed = subprocess.run(["git", "ls-files", "jobindex"], capture_output=True, text=True, check=True)
    paths = [Path(line) for line in listed.stdout.splitlines()]
    sources = {path: path.read_text() for path in paths if path.suffix == ".py" and path.exists()}
    problems = [*room_problems(paths), *length_problems(sources), *class_problems(sources)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def room_problems(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a problem if the folders are not the rooms, or if too many files are in none."""
    folders = {path.parts[1] for path in paths if len(path.parts) > 2}
    if folders != ROOMS:
        yield f"jobindex/: folders that are not rooms, or rooms without a folder: {sorted(folders ^ ROOMS)}"
    loose = sorted(path.name for path in paths if len(path.parts) == 2)
    if len(loose) > LOOSE_FILES_MAXIMUM:
        yield f"jobindex/: {len(loose)} files in no room, more than {LOOSE_FILES_MAXIMUM}: {', '.join(loose)}"


def length_problems(sources: Mapping[Path, str]) -> Iterator[str]:
    """Yield a problem for each file that is too long."""
    for path, source in sources.items():
        lines = len(source.splitlines())
        if lines > LINES_MAXIMUM:
            yield f"{path}: {lines} lines, more than {LINES_MAXIMUM}"


def class_problems(sources: Mapping[Path, str]) -> Iterator[str]:
    """Yield a problem for each class name that is defined more than once."""
    places = defaultdict(list)
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path}:{node.lineno}")
    for name, found in sorted(places.items()):
        if len(found) > 1:
            yield f"class {name} is defined {len(found)} times: {', '.join(found)}"


if __name__ == "__main__":
    sys.exit(main())
