"""The documentation as blocks of code, and a page as a script that runs them.

A comment on the line before a block says how it is run: `<!-- run: background -->` (until the next such block, or the
page's end), `<!-- run: shows TEXT -->` (its output contains TEXT after a while), `<!-- run: fails 1 -->` (its exit
status), or `<!-- not run: REASON -->`. Without a comment a block runs to its end with exit status 0.
`<!-- with a service -->` at the head of a page starts a service before its first block.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = {"sh", "python"}
LANGUAGES = {*RUN, "conf", "console", "ini", "js", "json", "nginx", "promql", "sql", "text", "yaml"}

_BLOCK = re.compile(r"(?:^ *<!-- ((?:not )?run: [^>]+?) -->\n)?^( *)```(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_WITH_SERVICE = "<!-- with a service -->"

_FUNCTIONS = """\
set -euo pipefail
end() {
  for group in $(jobs -p); do kill -- "-$group"; done
  wait
}
trap end EXIT
background() {
  end
  set -m
  bash -euo pipefail "$1" >background.log 2>&1 </dev/null &
  set +m
  for _ in {1..100}; do
    for scheme in http https; do
      if [[ $(curl -ks "$scheme://127.0.0.1:$JOBINDEX_HTTP_PORT/readyz") == *'"connected"'* ]]; then
        return
      fi
    done
    sleep 0.2
  done
  return 1
}
shows() {
  local output
  for _ in {1..40}; do
    if output=$(source "$1" 2>&1 </dev/null) && [[ $output == *"$2"* ]]; then
      printf '%s\\n' "$output"
      return
    fi
    sleep 0.25
  done
  printf '%s\\nis without: %s\\n' "$output" "$2"
  return 1
}
fails() {
  local status=0
  (source "$1" </dev/null) || status=$?
  [ $status = "$2" ]
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    how: str  # "", "run: …" or "not run: …"

    @property
    def is_run(self) -> bool:
        """Whether it can be run."""
        return self.language in RUN and not self.how.startswith("not run:")


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    source = page.read_text()
    for found in _BLOCK.finditer(source):
        how, indent, language, text = found.groups()
        line = source.count("\n", 0, found.start(3)) + 1
        lines = (each.removeprefix(indent) for each in text.splitlines(keepends=True))
        yield Block(line=line, language=language, text="".join(lines), how=how or "")


def script(page: Path, directory: Path, replaced: dict[str, str]) -> str:
    """Return a script for bash that runs the blocks of a page; their texts become files of a directory."""
    lines = [_FUNCTIONS]
    if _WITH_SERVICE in page.read_text():
        serve = directory / "service.sh"
        serve.write_text("exec jobindex serve\n")
        lines.append(f"background {serve}")
    for block in filter(lambda block: block.is_run, blocks(page)):
        text = block.text
        for old, new in replaced.items():
            text = text.replace(old, new)
        path = directory / f"{block.line}.{block.language}"
        path.write_text(text)
        if block.language == "python":
            (directory / f"{block.line}.sh").write_text(f"python {path}\n")
            path = directory / f"{block.line}.sh"
        lines += [f"echo '=== {page.name}:{block.line}'", _command(block.how, path)]
    return "\n".join([*lines, "echo '=== done'\n"])


def _command(how: str, path: Path) -> str:
    match how.split(maxsplit=2):
        case []:
            return f"source {path} </dev/null"
        case ["run:", "background"]:
            return f"background {path}"
        case ["run:", "shows", text]:
            return f"shows {path} {shlex.quote(text)}"
        case ["run:", "fails", status]:
            return f"fails {path} {int(status)}"
    raise ValueError(f"unknown comment before a block: {how}")
