"""The two languages of the console: sentences, numbers, days and moments. Pure but for the catalogues.

Sentences stand in templates and code in English; `translations/id/*.po` has them in Indonesian, a catalogue
for each screen. Moments are shown in Jakarta's time, which is named beside them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "id"
NAMES: Mapping[Language, str] = {"id": "Bahasa Indonesia", "en": "English"}

# What stands where there is no value.
NONE = "\N{EN DASH}"
_LESS_THAN_CERTAIN = 0.9999
_CATALOGUES = Path(__file__).parent / "translations"
_ZONE = ZoneInfo("Asia/Jakarta")
_ZONE_NAME = "WIB"


def N_(msgid: str) -> str:  # noqa: N802 - the name by which gettext tools know it
    """The sentence itself, marked to be translated where it is shown."""
    return msgid


class _Sentences(Translations):
    """Catalogues of which nothing is said where nothing is asked: gettext keeps their header there."""

    def gettext(self, message: str) -> str:
        """The sentence in this language; an empty text for an empty one."""
        return super().gettext(message) if message else ""


class Speech:
    """One language as a page uses it."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.translations = _translations(language)
        self._locale = Locale(language)

    def say(self, msgid: str, **values: Any) -> str:
        """A sentence in this language, with its values put in (`%(name)s`)."""
        said = self.translations.gettext(msgid)
        return said % values if values else said

    def told(self, texts: Mapping[str, str] | None) -> str:
        """Of a text that the API has in both languages, the one for this page; empty for None."""
        return texts[self.language] if texts else ""

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with its separators; a dash for None."""
        if value is None:
            return NONE
        shape = "#,##0." + "0" * digits if digits else "#,##0"
        return numbers.format_decimal(value, format=shape, locale=self._locale)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share between 0 and 1 as a percentage; a dash for None."""
        if share is None:
            return NONE
        shape = "#,##0." + "0" * digits + "%" if digits else "#,##0%"
        return numbers.format_percent(share, format=shape, locale=self._locale)

    def chance(self, share: float | None) -> str:
        """A probability as a percentage with two digits, never more than 99.99 %; a dash for None.

        A model is never certain: what comes as 1 was rounded on its way.
        """
        return self.percent(None if share is None else min(share, _LESS_THAN_CERTAIN), 2)

    def day(self, value: str | date | None) -> str:
        """A civil day (ISO 8601), or a moment's in Jakarta, as a person writes it; a dash for None."""
        if not value:
            return NONE
        when = _civil_day(value)
        return _unbroken(dates.format_date(when, "d MMM y", locale=self._locale))

    def moment(self, value: str | datetime | None) -> str:
        """A moment (ISO 8601 with zone, UTC without) in Jakarta's time; a dash for None."""
        if not value:
            return NONE
        when = _moment(value).astimezone(_ZONE)
        day = _unbroken(dates.format_date(when, "d MMM y", locale=self._locale))
        return f"{day} {_unbroken(f'{when:%H.%M} {_ZONE_NAME}')}"

    def ago(self, value: str | datetime | None, now: datetime | None = None) -> str:
        """How long ago a moment was, or how far off it is, roughly; a dash for None."""
        if not value:
            return NONE
        passed = _moment(value) - (now or datetime.now(UTC))
        return dates.format_timedelta(passed, add_direction=True, locale=self._locale)

    def lasting(self, seconds: float | None) -> str:
        """A length of time, roughly; a dash for None."""
        return NONE if seconds is None else dates.format_timedelta(round(seconds), locale=self._locale)


@cache
def speech(language: Language) -> Speech:
    """The speech of a language, read once."""
    return Speech(language)


def chosen(word: str | None) -> Language:
    """The language that a word names; the default for anything else."""
    return next((language for language in LANGUAGES if language == word), DEFAULT)


def catalogue_files(language: Language) -> list[Path]:
    """The catalogues of a language, one for each screen."""
    return sorted((_CATALOGUES / language).glob("*.po"))


def _translations(language: Language) -> NullTranslations:
    """All catalogues of a language as one; English needs none, as the sentences are their own keys."""
    whole = Catalog(locale=language, fuzzy=False)
    for path in catalogue_files(language):
        with path.open("rb") as file:
            for message in read_po(file, locale=language, abort_invalid=True):
                if message.id:
                    whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return _Sentences(compiled)


def _unbroken(text: str) -> str:
    """A text that a narrow column keeps on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _civil_day(value: str | date) -> date:
    if isinstance(value, str) and len(value) == len("2026-10-24"):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _moment(value).astimezone(_ZONE).date()


def _moment(value: str | datetime) -> datetime:
    when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
