"""How any section of `sources.toml` is read: the keys that every source has, its secrets, and what is wrong.

Strict: an unknown key, a wrong type or a secret that others may read is a problem, and all problems are
collected before anything is refused. Nothing that stands in the file or in a secret is repeated in a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.kind import OwnKeys
from connectors.transport.breaker import BreakerSettings
from connectors.transport.settings import SourceSettings

_OTHERS_MAY_READ = 0o077
Made = TypeVar("Made")
Keys = TypeVar("Keys", bound=OwnKeys)
_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Breaker(_Strict):
    failures: int | None = None
    failure_percent: int | None = None
    window_calls: int | None = None
    window_s: float | None = None
    open_s: float | None = None


class Reached(_Strict):
    """The keys that every source has. Defaults stand in `connectors.transport.settings.SourceSettings`."""

    base_url: str
    credentials_folder: str
    # That it is a double which knows invented people only: consumers in the sandbox are answered from it.
    simulated: bool = False
    concurrency: int | None = None
    attempt_timeout_s: float | None = None
    fair_wait_s: float | None = None
    max_attempts: int | None = None
    backoff_base_s: float | None = None
    backoff_cap_s: float | None = None
    retry_percent: int | None = None
    retry_burst: int | None = None
    retry_after_cap_s: float | None = None
    max_body_bytes: int | None = None
    keep_alive_s: float | None = None
    ca_file: str | None = None
    certificate_sha256: str | None = None
    allow_plain_http: bool | None = None
    json_types: list[str] | None = None
    pass_trace: bool | None = None
    breaker: _Breaker = Field(default_factory=_Breaker)


# Keys of `Reached` that `SourceSettings` takes as they stand.
_AS_THEY_STAND = Reached.model_fields.keys() - {
    *("credentials_folder", "simulated", "breaker", "ca_file", "json_types"),
}


@dataclass
class Reading:
    """One pass over one file. What comes out of it is of use only while `problems` is empty."""

    path: Path
    problems: list[str] = field(default_factory=list)

    def section(self, where: str, content: object, own: type[Keys]) -> tuple[Reached, Keys] | None:
        """The keys of one section: those of every source, and its own; None where any is wrong."""
        if not isinstance(content, Mapping):
            self.problems.append(f"{where} is not a section: write [{where}]")
            return None
        reached = self._model(where, Reached, {k: content[k] for k in content if k in Reached.model_fields})
        keys = self._model(where, own, {k: content[k] for k in content if k not in Reached.model_fields})
        return None if reached is None or keys is None else (reached, keys)

    def source(
        self, where: str, name: str, reached: Reached, **instead: str | float
    ) -> SourceSettings | None:
        """How a source called `name` is reached; `instead` replaces keys of the section."""
        given = {key: getattr(reached, key) for key in _AS_THEY_STAND & reached.model_fields_set} | instead
        if reached.ca_file is not None:
            given["ca_file"] = self.path.parent / reached.ca_file
            if not given["ca_file"].is_file():
                self.problems.append(f"[{where}] ca_file: there is no such file")
        if reached.json_types is not None:
            given["json_types"] = frozenset(reached.json_types)
        breaker = BreakerSettings(**reached.breaker.model_dump(exclude_unset=True))
        return self.made(where, lambda: SourceSettings(name=name, breaker=breaker, **given))

    def made(self, where: str, make: Callable[[], Made]) -> Made | None:
        """What `make` gives; None where it raises ValueError, whose words become a problem."""
        try:
            return make()
        except ValueError as error:
            self.problems.append(f"[{where}]: {error}")
            return None

    def folder(self, reached: Reached) -> Path:
        """Where a source's secrets lie."""
        return self.path.parent / reached.credentials_folder

    def secrets(
        self, where: str, reached: Reached, names: Sequence[str], optional: Sequence[str] = ()
    ) -> dict[str, str]:
        """The secrets by name. One that is missing or open to others is a problem, and here a blank."""
        folder = self.folder(reached)
        present = [name for name in optional if (folder / name).exists()]
        return {name: self._secret(where, folder / name) for name in (*names, *present)}

    def _secret(self, where: str, file: Path) -> str:
        try:
            mode = file.stat().st_mode & 0o777
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.problems.append(f"[{where}]: {file} is missing or not readable as text")
            return ""
        if mode & _OTHERS_MAY_READ:
            self.problems.append(
                f"[{where}]: {file} has mode {mode:04o}, so others may read it: run chmod 0600 {file}"
            )
        if not text:
            self.problems.append(f"[{where}]: {file} is empty")
        return text

    def _model(self, where: str, model: type[_Model], content: Mapping[str, Any]) -> _Model | None:
        try:
            return model.model_validate(content)
        except ValidationError as error:
            self.problems += [
                _told([where, *item["loc"]], item["type"], item["msg"])
                for item in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            return None


def _told(where: Sequence[int | str], kind: str, words: str) -> str:
    """A problem in words that repeat nothing of what stood there."""
    place = ".".join(map(str, where))
    if kind == "extra_forbidden":
        return f"{place} is not a key of this file; a secret belongs in a file of credentials_folder"
    return f"{place}: {words}"
