"""`sources.toml`: which outside sources there are, how they are reached, and how much they may be asked.

A section for each registered kind of source, one for each programme whose list is pulled, one for Dukcapil's
feedback service. The file itself MUST NOT hold a secret: it names folders whose files of mode 0600 do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from connectors.dukcapil.feedback import FeedbackSettings
from connectors.kind import Connect, OwnKeys, SourceKind
from connectors.programmes.publisher import ClientCredentials
from connectors.registered import KINDS
from connectors.transport.settings import SourceSettings
from gateway.errors import SettingsInvalid
from gateway.sources.reading import Reading

FEEDBACK = "dukcapil_feedback"
PROGRAMMES = "programmes"
# Maps are pulled into a store of their own, and `gateway/areas` reads where from.
MAPS = "big"
# When Dukcapil is asked about everybody is read by `gateway/reconciliation`.
RECONCILIATION = "reconciliation"
_READ_ELSEWHERE = frozenset({MAPS, RECONCILIATION})
_PROGRAMME = re.compile(r"[A-Z][A-Z0-9-]{0,15}")
_PATH = r"^/[A-Za-z0-9._/-]+$"


class _ListKeys(OwnKeys):
    path: str = Field(pattern=_PATH)
    token_path: str = Field("/oauth2/token", pattern=_PATH)
    token_base_url: str | None = None
    page_size: int = Field(1000, ge=1, le=5000)
    # Programmes that nobody may be in together with this one; absent: every other is reported.
    excludes: list[str] | None = None


class _FeedbackKeys(OwnKeys):
    path: str = Field(pattern=_PATH)
    institution_id: str = Field(min_length=1)
    institution_name: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A source as configured, its secrets read: what may be remembered of it, and how it is connected.

    `simulated` says that it is a double, which knows invented people only.
    """

    name: str
    words: Mapping[str, frozenset[str]]
    connect: Connect
    simulated: bool = False


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
    """Everything that `sources.toml` says; empty where there is none. `sources` come as registered."""

    sources: tuple[ConfiguredSource, ...] = ()
    lists: tuple[ConfiguredList, ...] = ()
    feedback: FeedbackSettings | None = None


def read_sources(path: Path | None, kinds: Sequence[SourceKind[Any]] = KINDS) -> Configured:
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
    reading = _SourcesFile(Reading(path), content)
    configured = reading.whole(kinds)
    if problems := reading.reading.problems:
        raise SettingsInvalid([f"{path}: {problem}" for problem in problems])
    return configured


def list_name(programme: str) -> str:
    """How the list of a programme is named as a source."""
    return f"{programme.lower()}-list"


@dataclass(frozen=True, slots=True)
class _SourcesFile:
    """The sections of one file. One with a problem gives nothing, and then the whole file is refused."""

    reading: Reading
    content: Mapping[str, Any] = field(repr=False)

    def whole(self, kinds: Sequence[SourceKind[Any]]) -> Configured:
        self._refuse_unknown([kind.name for kind in kinds])
        sources = [self._source(kind) for kind in kinds if kind.name in self.content]
        lists = [self._list(name, content) for name, content in self._programmes().items()]
        return Configured(
            sources=tuple(one for one in sources if one is not None),
            lists=tuple(one for one in lists if one is not None),
            feedback=self._feedback() if FEEDBACK in self.content else None,
        )

    def _refuse_unknown(self, names: Sequence[str]) -> None:
        known = {*names, PROGRAMMES, FEEDBACK, *_READ_ELSEWHERE}
        self.reading.problems += [
            f"{name} is not a section of this file; its sections are {', '.join(sorted(known))}"
            for name in self.content.keys() - known
        ]

    def _source(self, kind: SourceKind[Any]) -> ConfiguredSource | None:
        where = kind.name
        read = self.reading.section(where, self.content[where], kind.section)
        if read is None:
            return None
        reached, own = read
        secrets = self.reading.secrets(where, reached, kind.secrets, kind.optional_secrets)
        source = self.reading.source(where, where, reached)
        if source is None:
            return None
        connect = self.reading.made(where, lambda: kind.configure(own, source, secrets))
        if connect is None:
            return None
        return ConfiguredSource(where, kind.words, connect, reached.simulated)

    def _programmes(self) -> Mapping[str, Any]:
        sections = self.content.get(PROGRAMMES, {})
        if isinstance(sections, Mapping):
            return sections
        self.reading.problems.append(f"{PROGRAMMES} is not a section: write [{PROGRAMMES}.PKH]")
        return {}

    def _list(self, programme: str, content: object) -> ConfiguredList | None:
        where = f"{PROGRAMMES}.{programme}"
        read = self.reading.section(where, content, _ListKeys)
        if read is None:
            return None
        reached, own = read
        excludes = None if own.excludes is None else frozenset(own.excludes)
        self._refuse_odd_names(where, programme, excludes or frozenset())
        secrets = self.reading.secrets(where, reached, ("client_id", "client_secret"))
        name = list_name(programme)
        api = self.reading.source(where, name, reached)
        at = own.token_base_url
        tokens = api if at is None else self.reading.source(where, f"{name}-tokens", reached, base_url=at)
        if api is None or tokens is None:
            return None
        credentials = ClientCredentials(**secrets)
        return ConfiguredList(
            programme, api, tokens, own.path, own.token_path, credentials, own.page_size, excludes
        )

    def _refuse_odd_names(self, where: str, programme: str, excludes: frozenset[str]) -> None:
        if not _PROGRAMME.fullmatch(programme):
            self.reading.problems.append(
                f"[{where}]: a programme is named like PKH or PBI-JK, 16 characters at most"
            )
        if not all(map(_PROGRAMME.fullmatch, excludes)):
            self.reading.problems.append(f"[{where}] excludes: programmes are named like PKH or PBI-JK")

    def _feedback(self) -> FeedbackSettings | None:
        read = self.reading.section(FEEDBACK, self.content[FEEDBACK], _FeedbackKeys)
        if read is None:
            return None
        reached, own = read
        self.reading.secrets(FEEDBACK, reached, ("token",))
        source = self.reading.source(FEEDBACK, "dukcapil-feedback", reached)
        if source is None:
            return None
        token_file = self.reading.folder(reached) / "token"
        return FeedbackSettings(source=source, token_file=token_file, **own.model_dump())
