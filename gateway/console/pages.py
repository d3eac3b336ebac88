"""Templates to pages: the environment of each language, and what every page has at hand.

MUST NOT put anything on a page that is not escaped: no template turns escaping off.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.console.language import LANGUAGES, NAMES, NONE, Language, speech
from gateway.console.log_findings import finding_told
from gateway.console.log_objects import log_object
from gateway.console.menu import menu_for
from gateway.console.policy_mistakes import mistake_told
from gateway.console.released import released
from gateway.console.run_failures import failure_told
from gateway.console.source_causes import cause_told
from gateway.console.words import WORDS

if TYPE_CHECKING:
    from gateway.console.asking import ApiProblem
    from gateway.console.visit import Visit

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
TEMPLATES = _HERE / "templates"
# What gives a page of a list its place in the query, and does not belong to the list's own state.
_FLEETING = ("said", "decided", "case")
# Stands on a page where what no field has told is told: that is known once the fields are there. Whatever is
# data is escaped, so it cannot be this.
_UNPLACED = "<!--unplaced-->"


class Pages:
    """Renders templates. `said` has the sentences that tell what was done, by the word in the address."""

    def __init__(self, said: Mapping[str, str]) -> None:
        self._said = said
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def render(
        self, template: str, visit: Visit, problem: ApiProblem | None, context: Mapping[str, Any]
    ) -> str:
        """A page for one visit; `problem` is what the API refused before it, if it did.

        Raises UndefinedError for a name that nobody gave: a fault of ours.
        """
        said = self._said.get(visit.asked("said"))
        environment = self._environments[visit.language]
        html = environment.get_template(template).render(
            visit=visit,
            session=visit.session,
            said=visit.speech.say(said) if said else None,
            here=lambda **changes: address_with(visit.address, changes),
            menu=menu_for(visit.session["roles"] if visit.session else ()),
            problem=problem,
            **context,
        )
        if problem:
            parts: Any = environment.get_template("parts/forms.html").module
            html = html.replace(_UNPLACED, str(parts.told_at_fields(problem)))
        return html


def address_with(address: str, changes: Mapping[str, Any]) -> str:
    """An address of the console with some of its query changed; None takes a parameter out.

    >>> address_with("/console/x?page=2&q=a", {"page": None, "region": "35"})
    '/console/x?q=a&region=35'
    """
    path, _, query = address.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    kept = [f"{name}={value}" for name, _, value in pairs if name not in changes and name not in _FLEETING]
    added = urlencode({name: value for name, value in changes.items() if value is not None})
    whole = "&".join([*kept, *([added] if added else [])])
    return f"{path}?{whole}" if whole else path


def once() -> str:
    """The key of one form: whoever sends that form twice, by a second click or a reload, is done once."""
    return secrets.token_urlsafe(16)


@cache
def asset(name: str) -> str:
    """The address of a file of ours, which changes when the file does: browsers may keep it for ever."""
    mark = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={mark}"


def _environment(language: Language) -> Environment:
    spoken = speech(language)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.install_gettext_translations(spoken.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"asset": asset, "once": once, "languages": NAMES, "language": language}
    environment.filters |= {
        "number": spoken.number,
        "percent": spoken.percent,
        "chance": spoken.chance,
        "day": spoken.day,
        "moment": spoken.moment,
        "ago": spoken.ago,
        "lasting": spoken.lasting,
        "told": spoken.told,
        "word": lambda value, of: spoken.say(WORDS[of].get(value, str(value))),
        "mistake": lambda sentence: mistake_told(spoken, sentence),
        "cause": lambda sentence: cause_told(spoken, sentence),
        "failure": lambda sentence: failure_told(spoken, sentence),
        "finding": lambda sentence: finding_told(spoken, sentence),
        "released": lambda form: released(spoken, form),
        "log_object": log_object,
        "listed": lambda values, glue=", ": _listed(values, glue),
    }
    return environment


def _listed(values: Sequence[Any], glue: str) -> str:
    return glue.join(str(value) for value in values) or NONE
