"""What an act of staff was done to: the log's `kind/name`, told in words, with the page of it. Pure.

What is not known here is shown as the log spells it, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gateway.console.log_words import LOG_WORDS

_ID = re.compile(r"(?P<begins>[0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KINDS = LOG_WORDS["log_object"]
# Of these the log names a version too: `agreement/bpjs-pbi-jk/2`.
_VERSIONED = frozenset({"agreement", "dictionary", "programme"})
# Of months the log names those up to one: `months/until/2026-01`.
_UNTIL = "until/"
# Where each kind of thing has its page; `{name}` stands for which one it is.
_PAGES: Mapping[str, str] = {
    "acceptance-rule": "/console/reconciliations/rules",
    "act": "/console/audit/acts/{name}",
    "agreement": "/console/agreements/{name}",
    "consumer": "/console/consumers/{name}",
    "dictionary": "/console/agreements/_dictionary",
    "exchange": "/console/audit/exchanges/{name}",
    "finding": "/console/reconciliations/findings/{name}",
    "incident": "/console/audit/incidents/{name}",
    "likely-person": "/console/reconciliations/likely-persons",
    "log": "/console/audit/log",
    "log-key": "/console/settings/keys",
    "messages-key": "/console/settings/keys",
    "programme": "/console/programmes/{name}",
    "receipts-key": "/console/settings/keys",
    "reconciliation": "/console/reconciliations/runs/{name}",
    "region": "/console/reconciliations/findings?region={name}",
    "reversal": "/console/audit/reversals/{name}",
    "sector": "/console/settings/keys",
    "source": "/console/sources/{name}",
    "staff": "/console/settings/staff/{name}",
}
# Named as the others of their kind are, but nobody and nothing that has a page.
_WITHOUT_PAGE = frozenset({"staff/unknown", "source/dukcapil_feedback"})


@dataclass(frozen=True, slots=True)
class LogObject:
    """One thing that acts are done to.

    `kind` is a word of `WORDS["log_object"]`, or all that the log says; `name` tells, in short, which one it
    is; `version` and `page` are empty where it has none.
    """

    kind: str
    name: str = ""
    version: str = ""
    page: str = ""


def log_object(spelled: str) -> LogObject:
    """The thing that an act names.

    >>> log_object("agreement/bpjs-pbi-jk/2").page
    '/console/agreements/bpjs-pbi-jk/versions/2'
    """
    kind, _, name = spelled.partition("/")
    if kind not in _KINDS:
        return LogObject(spelled)
    version = ""
    if kind in _VERSIONED:
        name, _, version = name.partition("/")
    name = name.removeprefix(_UNTIL)
    page = "" if spelled in _WITHOUT_PAGE else _PAGES.get(kind, "").format(name=quote(name, safe=""))
    if version and "{name}" in _PAGES[kind]:
        page = f"{page}/versions/{version}"
    an_id = _ID.fullmatch(name)
    return LogObject(kind, an_id["begins"] if an_id else name, version, page)
