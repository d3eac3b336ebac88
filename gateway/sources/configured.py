"""`sources.toml`: which outside sources there are, how they are reached, and how much they may be asked.

Strict: an unknown key, a wrong type or a secret that others may read refuses the whole file, and all problems
are told at once. The file itself MUST NOT hold a secret: it names folders whose files of mode 0600 do.
Nothing that is read here is repeated in a problem's text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.bpjs.connector import BpjsCredentials
from connectors.dukcapil.connector import DukcapilSettings
from connectors.dukcapil.wire import Spelling
from connectors.programmes.publisher import ClientCredentials
from connectors.transport.breaker import BreakerSettings
from connectors.transport.settings import SourceSettings
from gateway.errors import SettingsInvalid

_PROGRAMME = re.compile(r"[A-Z][A-Z0-9-]{0,15}")

Made = TypeVar("Made")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Breaker(_Strict):
    failures: int | None = None
    failure_percent: int | None = None
    window_calls: int | None = None
    window_s: float | None = None
    open_s: float | None = None


class _Reached(_Strict):
    """What every source has. Defaults stand in `connectors.transport.settings.SourceSettings`, not here."""

    base_url: str
    credentials_folder: str
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
    breaker: _Breaker = Field(default_factory=_Breaker)


class _Remembered(_Reached):
    # How old a last known verdict may be that stands in for an answer; absent: never.
    last_known_max_age_days: int | None = Field(None, ge=0, le=3650)


class _Spelling(_Strict):
    user_id: str | None = None
    password: str | None = None
    ip_user: str | None = None
    nik: str | None = None
    threshold: str | None = None


class _Dukcapil(_Remembered):
    family: Literal["central_named", "central_numeric", "regional"]
    customer: str
    threshold: int
    daily_quota: int
    region: str | None = None
    call: Literal["verify", "record"] | None = None
    method: str | None = None
    birth_date_format: str | None = None
    found_messages: list[str] | None = None
    warn_at: list[int] | None = None
    calls_per_second: float | None = None
    spelling: _Spelling = Field(default_factory=_Spelling)


class _Bpjs(_Remembered):
    pass


class _Programme(_Reached):
    path: str = Field(pattern=r"^/[A-Za-z0-9._/-]+$")
    token_path: str = Field("/oauth2/token", pattern=r"^/[A-Za-z0-9._/-]+$")
    token_base_url: str | None = None
    page_size: int = Field(1000, ge=1, le=5000)
    # Programmes that nobody may be in together with this one; absent: every other is reported.
    excludes: list[str] | None = None


_SOURCE_OWN = _Reached.model_fields.keys() - {"credentials_folder", "breaker", "ca_file", "json_types"}
_DUKCAPIL_OWN = _Dukcapil.model_fields.keys() - _Remembered.model_fields.keys() - {"spelling"}


class _File(_Strict):
    dukcapil: _Dukcapil | None = None
    bpjs: _Bpjs | None = None
    programmes: dict[str, _Programme] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfiguredDukcapil:
    """Dukcapil as configured."""

    settings: DukcapilSettings
    last_known_max_age: timedelta | None


@dataclass(frozen=True, slots=True)
class ConfiguredBpjs:
    """BPJS as configured, its secrets read."""

    source: SourceSettings
    credentials: BpjsCredentials
    last_known_max_age: timedelta | None


@dataclass(frozen=True, slots=True)
class ConfiguredList:
    """A programme's membership list as configured, its secrets read."""

    programme: str
    api: SourceSettings
    tokens: SourceSettings
    path: str
    token_path: str
    credentials: ClientCredentials
    page_size: int
    excludes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Configured:
    """Everything that `sources.toml` says; empty where there is none."""

    dukcapil: ConfiguredDukcapil | None = None
    bpjs: ConfiguredBpjs | None = None
    lists: tuple[ConfiguredList, ...] = ()


def read_sources(path: Path | None) -> Configured:
    """What the file configures; no path, no sources. Raises SettingsInvalid with every problem."""
    if path is None:
        return Configured()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The parser's own words may quote the file; where it stumbled does not.
        place = "".join(re.findall(r"\(at [^()]+\)", str(error))[:1])
        what = f"{type(error).__name__} {place}".rstrip()
        raise SettingsInvalid([f"{path}: cannot be read as TOML: {what}"]) from None
    reading = _Reading(path)
    configured = reading.whole(content)
    if reading.problems or configured is None:
        raise SettingsInvalid([f"{path}: {problem}" for problem in reading.problems])
    return configured


@dataclass
class _Reading:
    """One pass over one file; `problems` are what it met."""

    path: Path
    problems: list[str] = field(default_factory=list)

    def whole(self, content: Mapping[str, Any]) -> Configured | None:
        try:
            file = _File.model_validate(content)
        except ValidationError as error:
            self.problems += [
                _told(item["loc"], item["type"], item["msg"])
                for item in error.errors(include_url=False, include_input=False)
            ]
            return None
        lists = [self._list(name, section) for name, section in file.programmes.items()]
        return Configured(
            dukcapil=self._dukcapil(file.dukcapil) if file.dukcapil else None,
            bpjs=self._bpjs(file.bpjs) if file.bpjs else None,
            lists=tuple(one for one in lists if one is not None),
        )

    def _dukcapil(self, section: _Dukcapil) -> ConfiguredDukcapil | None:
        folder = self._folder(section)
        self._secrets("dukcapil", folder, ("user_id", "password", "ip_user"), ("basic_login",))
        source = self._source("dukcapil", "dukcapil", section)
        own = _given(section, _DUKCAPIL_OWN)
        own |= {name: tuple(own[name]) for name in ("found_messages", "warn_at") if name in own}
        spelling = Spelling(**section.spelling.model_dump(exclude_unset=True))
        if source is None:
            return None
        settings = self._made(
            "dukcapil",
            lambda: DukcapilSettings(source=source, credentials_folder=folder, spelling=spelling, **own),
        )
        if settings is None:
            return None
        return ConfiguredDukcapil(settings, _days(section.last_known_max_age_days))

    def _bpjs(self, section: _Bpjs) -> ConfiguredBpjs | None:
        secrets = self._secrets("bpjs", self._folder(section), ("consumer_id", "secret", "user_key"))
        source = self._source("bpjs", "bpjs", section)
        if source is None or secrets is None:
            return None
        return ConfiguredBpjs(source, BpjsCredentials(**secrets), _days(section.last_known_max_age_days))

    def _list(self, programme: str, section: _Programme) -> ConfiguredList | None:
        where = f"programmes.{programme}"
        name = list_name(programme)
        if not _PROGRAMME.fullmatch(programme):
            self.problems.append(f"[{where}]: a programme is named like PKH or PBI-JK, 16 characters at most")
        excludes = None if section.excludes is None else frozenset(section.excludes)
        if not all(_PROGRAMME.fullmatch(other) for other in excludes or ()):
            self.problems.append(f"[{where}] excludes: programmes are named like PKH or PBI-JK")
        secrets = self._secrets(where, self._folder(section), ("client_id", "client_secret"))
        api = self._source(where, name, section)
        at = section.token_base_url
        tokens = api if at is None else self._source(where, f"{name}-tokens", section, base_url=at)
        if api is None or tokens is None or secrets is None:
            return None
        credentials = ClientCredentials(**secrets)
        path, token_path, size = section.path, section.token_path, section.page_size
        return ConfiguredList(programme, api, tokens, path, token_path, credentials, size, excludes)

    def _source(self, where: str, name: str, section: _Reached, **other: str) -> SourceSettings | None:
        given = _given(section, _SOURCE_OWN) | other
        if section.ca_file is not None:
            given["ca_file"] = self.path.parent / section.ca_file
            if not given["ca_file"].is_file():
                self.problems.append(f"[{where}] ca_file: there is no such file")
        if section.json_types is not None:
            given["json_types"] = frozenset(section.json_types)
        breaker = BreakerSettings(**section.breaker.model_dump(exclude_unset=True))
        return self._made(where, lambda: SourceSettings(name=name, breaker=breaker, **given))

    def _made(self, where: str, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except ValueError as error:
            self.problems.append(f"[{where}]: {error}")
            return None

    def _folder(self, section: _Reached) -> Path:
        return self.path.parent / section.credentials_folder

    def _secrets(
        self, where: str, folder: Path, names: tuple[str, ...], perhaps: tuple[str, ...] = ()
    ) -> dict[str, str] | None:
        """The secrets by name, None where one is missing or open to others."""
        texts: dict[str, str] = {}
        before = len(self.problems)
        for name in (*names, *perhaps):
            file = folder / name
            if name in perhaps and not file.exists():
                continue
            try:
                mode = file.stat().st_mode & 0o777
                texts[name] = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                self.problems.append(f"[{where}]: {file} is missing or not readable as text")
                continue
            if mode & 0o077:
                self.problems.append(
                    f"[{where}]: {file} has mode {mode:04o}, so others may read it: run chmod 0600 {file}"
                )
            if not texts[name]:
                self.problems.append(f"[{where}]: {file} is empty")
        return texts if len(self.problems) == before else None


def list_name(programme: str) -> str:
    """How the list of a programme is named as a source."""
    return f"{programme.lower()}-list"


def _given(section: BaseModel, names: AbstractSet[str]) -> dict[str, Any]:
    """What the file really says of these keys, so that defaults stand in one place."""
    return {name: getattr(section, name) for name in names & section.model_fields_set}


def _days(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)


def _told(where: Sequence[int | str], kind: str, words: str) -> str:
    """A problem in words that repeat nothing of what stood there."""
    place = ".".join(map(str, where))
    if kind == "extra_forbidden":
        return f"{place} is not a key of this file; a secret belongs in a file of credentials_folder"
    return f"{place}: {words}"
