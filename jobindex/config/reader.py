"""The declaration of a setting, and the reader of the environment, which collects all problems."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

PREFIX = "JOBINDEX_"

_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Setting(Generic[_Value_co]):
    """The declaration of a setting, for the reader, the documentation and `jobindex config`."""

    name: str
    """Without `JOBINDEX_`."""
    parser: Callable[[str], _Value_co]
    """Returns the value, or raises ValueError with one argument for each problem."""
    _: KW_ONLY
    default: str | None = None
    unset: str = ""
    """The default in words, if it is not a plain value; Markdown."""
    help: str
    """A sentence or two for the documentation; Markdown."""
    is_secret: bool = False
    """Whether it can be in a file that `…_FILE` names; the value is the content without the line end."""
    hide: Callable[[str], str] = lambda _: "(hidden)"
    """Hides the secret part of the text."""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name

    @property
    def file_variable(self) -> str | None:
        """The variable that names a file with the secret; None if it is not a secret."""
        return f"{self.variable}_FILE" if self.is_secret else None


class SettingsReader:
    """The settings in an environment; a wrong one has its default."""

    def __init__(
        self, settings: Sequence[Setting[object]], environment: Mapping[str, str], needed: Collection[str]
    ) -> None:
        self._environment = environment
        self._needed = needed
        self._problems: dict[str, list[str]] = {setting.name: [] for setting in settings}
        self._found = {setting.name: self._find(setting) for setting in settings}
        self._values = {setting.name: self._parse(setting) for setting in settings}

    def __getitem__(self, setting: Setting[_Value]) -> _Value:
        """Return the value of a setting that has a default."""
        return cast("_Value", self._values[setting.name])

    def get(self, setting: Setting[_Value]) -> _Value | None:
        """Return the value of a setting; None if it is not set and has no default."""
        return cast("_Value | None", self._values[setting.name])

    def text(self, setting: Setting[object]) -> str | None:
        """Return the text of a setting, even if it is wrong."""
        return self._found[setting.name][0]

    def shown(self, setting: Setting[object]) -> str | None:
        """Return the text of a setting without secrets."""
        text = self.text(setting)
        return setting.hide(text) if setting.is_secret and text is not None else text

    def source(self, setting: Setting[object]) -> str:
        """Return `environment`, `JOBINDEX_X_FILE=/path` or `default`."""
        return self._found[setting.name][1]

    @property
    def problems(self) -> list[str]:
        """All problems of the needed settings, in the table's order."""
        return [problem for name, problems in self._problems.items() if name in self._needed for problem in problems]

    def problem(self, setting: Setting[object], *problems: str) -> None:
        """Note problems of a setting."""
        self._problems[setting.name] += [f"{setting.variable}: {problem}" for problem in problems]

    def is_wrong(self, setting: Setting[object]) -> bool:
        """Return whether a setting has a problem."""
        return bool(self._problems[setting.name])

    def needs(self, setting: Setting[object]) -> bool:
        """Return whether the problems of a setting count."""
        return setting.name in self._needed

    def _find(self, setting: Setting[object]) -> tuple[str | None, str]:
        text, source = self._environment.get(setting.variable) or None, "environment"
        if text is not None and not text.isprintable():
            self.problem(setting, "contains a character that cannot be printed, or is not UTF-8")
            text = None
        elif setting.file_variable is not None and (path := self._environment.get(setting.file_variable)):
            if text is not None:
                self.problem(setting, f"is set, and so is {setting.file_variable}")
            try:
                text, source = Path(path).read_text("utf-8").rstrip("\r\n"), f"{setting.file_variable}={path}"
            except (OSError, UnicodeDecodeError) as error:
                self._problems[setting.name].append(f"{setting.file_variable}: {path!r} cannot be read: {error}")
                text = None
        if text is None or (text == "" and setting.default is not None):
            return setting.default, "default"
        return text, source

    def _parse(self, setting: Setting[object]) -> object:
        text = self.text(setting)
        try:
            return None if text is None else setting.parser(text)
        except ValueError as error:
            self.problem(setting, *error.args)
            return None if setting.default is None else setting.parser(setting.default)
