"""Why a source failed and what is wrong with the log: every sentence that the code says has its Indonesian.

The sentences are read from the source, so one that is new fails here until the catalogue has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from markupsafe import Markup, escape

from gateway.console.language import Speech, speech
from gateway.console.log_findings import FINDINGS, finding_told
from gateway.console.source_causes import CAUSES, CERTIFICATES, cause_told
from tests.gateway.console.rendered import PAGES, rendered
from tests.gateway.console.sentences import Said, left_in_english

Tell = Callable[[Speech, str], Markup]
Told = tuple[frozenset[str], Tell, tuple[str, ...]]
ROOT = Path(__file__).parents[3]
_REFUSED = "dukcapil.example:443 refuses connections: is the service running?"
_SAMPLES = {
    "verify_message": "certificate has expired",
    "cause.reason": "WRONG_VERSION_NUMBER",
    "cause": _REFUSED,
    "detail": _REFUSED,
    "str(error)": _REFUSED,
    "fault": "its line cannot be read",
    "what": "payload",
    "status": "404",
    "day": "2026-11-22",
}
# Failures that are no class of their own, and classes whose text becomes a cause.
_CONSTRUCTORS = {"SourceFailure", "StoreUnavailable", "_Malformed"}
# Words of both languages, and words of the configuration and of protocols.
_SHARED = frozenset(
    {
        *(
            "checkpoint",
            "consumer",
            "format",
            "gateway",
            "hash",
            "id",
            "items",
            "log",
            "more",
            "path",
            "port",
        ),
        *("portal", "proxy", "secret", "server", "status", "token"),
    }
)

# One source that is down, and one check that found something, as the admin API tells them.
_CAUSE = "127.0.0.1:8601 refuses connections: is the service running?"
_NOW = "2026-11-22T09:00:00+00:00"
_SEEN = {
    "breaker": "open",
    "latency_s": None,
    "last_success": None,
    "last_failure": _NOW,
    "last_cause": _CAUSE,
    "unavailable_since": _NOW,
    "recovered": False,
}
_PROCESS = {
    "process": "p1",
    "reported_at": _NOW,
    "breaker": "open",
    "next_probe_in_s": 2.0,
    "latency_s": None,
    **dict.fromkeys(("questions", "attempts", "retries", "refused", "in_flight"), 1),
    "last_cause": f"127.0.0.1:8601 has been failing and is not asked for 1.5 s; last: {_CAUSE}",
}
_SOURCE = {
    "name": "dukcapil",
    "kind": "connector",
    "standing": "down",
    "programme": None,
    "simulated": True,
    "quota": None,
    "fields": [],
    "remembered": [],
    "seen": _SEEN,
    "processes": [_PROCESS],
}
_CHECK = {
    "state": "unsound",
    "begun_at": _NOW,
    "asked_by": "operator",
    "done": 7,
    "checkpoints": 2,
    "erased": 0,
    "finding": "entry 3: dropped: the entry that was logged here is gone",
}


def _modules() -> Iterator[Path]:
    """Where causes come from: connectors, and the gateway's own sources with the stores behind them."""
    for folder in ("connectors", "gateway/sources", "gateway/registry", "gateway/areas"):
        yield from (path for path in (ROOT / folder).rglob("*.py") if "simulators" not in path.parts)
    yield from (ROOT / "gateway/database.py", ROOT / "gateway/lanes.py")


def _failures(trees: list[ast.Module]) -> frozenset[str]:
    """The names of all failures: what is derived from one is one."""
    known = set(_CONSTRUCTORS)
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while new := {one.name for one in classes if {ast.unparse(base) for base in one.bases} & known} - known:
        known |= new
    return frozenset(known)


@cache
def _causes() -> frozenset[str]:
    modules = [Said(path, _SAMPLES, "7001") for path in _modules()]
    failures = _failures([module.tree for module in modules])
    said = (module.texts(one) for module in modules for one in _cause_expressions(module, failures))
    return frozenset(text for texts in said for text in texts if text)


def _cause_expressions(module: Said, failures: frozenset[str]) -> Iterator[ast.expr]:
    yield from (call.args[0] for call in module.calls(failures) if call.args)
    for call in module.calls(frozenset({"Trouble"})):
        spread = [one.value for one in call.args if isinstance(one, ast.Starred)]
        yield spread[0] if spread else call.args[2]
    for call in module.calls(failures | {"Unavailable"}):
        yield from (one.value for one in call.keywords if one.arg == "cause")
    yield from module.assigned("cause")


@cache
def _findings() -> frozenset[str]:
    verifier, within, proofs = (
        Said(ROOT / "gateway/audit" / name, _SAMPLES, "7001")
        for name in ("verifier.py", "verification.py", "proofs.py")
    )
    found = {text for call in proofs.calls(frozenset({"Unproven"})) for text in proofs.texts(call.args[0])}
    for module in (verifier, within):
        for call in module.calls(frozenset({"Found", "cls", "replace"})):
            faults = (module.texts(one.value) for one in call.keywords if one.arg == "fault")
            found |= {f"entry 7: changed: {fault}" for one in faults for fault in one if fault}
        for kind, words in _kinds_and_words(module):
            found |= {
                f"entry 7: {one}: {two}" for one, two in product(module.texts(kind), module.texts(words))
            }
    return frozenset(found | {one.replace("its payload is", "its subjects is") for one in found})


def _kinds_and_words(module: Said) -> Iterator[tuple[ast.expr, ast.expr]]:
    for call in module.calls(frozenset({"Finding"})):
        match call.args[1:]:
            case [ast.Starred(value=ast.Call(func=ast.Attribute(attr=name)))]:
                pairs = [one for one in module.returned(name) if isinstance(one, ast.Tuple)]
                yield from ((one.elts[0], one.elts[1]) for one in pairs)
            case [kind, words]:
                yield kind, words


@pytest.fixture(params=["causes", "findings"])
def told(request: pytest.FixtureRequest) -> Told:
    """What can be said, what tells it, and the messages that it is known by."""
    if request.param == "causes":
        return _causes(), cause_told, tuple(CAUSES)
    return _findings(), finding_told, tuple(FINDINGS)


def test_every_sentence_that_the_code_can_say_is_told_in_indonesian(told: Told) -> None:
    said, tell, _ = told
    assert len(said) > 30
    sentences = {one: tell(speech("id"), one) for one in said}
    assert [one for one, words in sentences.items() if "lang=" in words] == []
    assert {
        one: left for one, words in sentences.items() if (left := left_in_english(one, words, _SHARED))
    } == {}


def test_english_pages_show_every_sentence_as_it_came(told: Told) -> None:
    said, tell, _ = told
    assert [one for one in said if tell(speech("en"), one) != escape(one)] == []


def test_no_message_is_kept_that_the_code_no_longer_says(told: Told) -> None:
    said, _, messages = told
    parts = {message: re.split(r"%\(\w+\)s", message) for message in messages}
    assert [
        one for one in messages if not any(all(part in text for part in parts[one]) for text in said)
    ] == []


def test_what_openssl_says_of_a_certificate_is_told_within_the_cause() -> None:
    frame = next(one for one in CAUSES if one.startswith("the TLS certificate"))
    for words in CERTIFICATES:
        cause = frame % {"where": "bpjs.example:443", "cause": words % {"host": "bpjs.example"}}
        told = cause_told(speech("id"), cause)
        assert "lang=" not in told, cause
        assert left_in_english(cause, told, _SHARED) == set(), cause


def test_what_nobody_translated_is_shown_as_it_came_and_marked_as_english() -> None:
    unknown = 'the <moon> is "full"'
    marked = f'<span lang="en">{escape(unknown)}</span>'
    assert cause_told(speech("id"), unknown) == finding_told(speech("id"), unknown) == marked
    resting = f"bpjs.example:443 has been failing and is not asked for 2.5 s; last: {unknown}"
    told = cause_told(speech("id"), resting)
    assert told == f"bpjs.example:443 terus gagal dan tidak ditanya selama 2,5 detik; terakhir: {marked}"
    # A sentence that only begins like a known one is another one.
    longer = "bpjs.example:443 answers with status 500 and the moon"
    assert cause_told(speech("id"), longer) == f'<span lang="en">{longer}</span>'


def test_the_pages_of_a_source_that_fails_tell_why_in_indonesian() -> None:
    down = rendered(
        "sources/list.html", sources={"outside": [_SOURCE], "lists": [], "own": []}, down=[_SOURCE]
    )
    tested = {"answered": False, "took_s": 0.02, "cause": _CAUSE}
    one = rendered("sources/one.html", source=_SOURCE, tested=tested)
    told = "127.0.0.1:8601 menolak sambungan: apakah layanannya berjalan?"
    assert (down.count(told), one.count(told)) == (1, 3)
    assert "tidak ditanya selama 1,5 detik" in one
    assert "refuses connections" not in down + one


def test_the_pages_of_a_log_that_does_not_check_out_tell_what_is_wrong_in_indonesian() -> None:
    keys = [{"public": "example+1+AA", "since": _NOW, "until": None}]
    log = {"entries": 7, "waiting": 0, "heads": [], "witnesses": [], "keys": keys, "checks": [_CHECK]}
    assert "catatan 3: hilang: catatan yang dahulu dicatat di sini tidak ada lagi" in rendered(
        "audit/log.html", log=log
    )
    parts = PAGES._environments["id"].get_template("audit/parts.html").module
    unproven = {"proven": False, "problem": "entry 3 is not in the tree of size 7 with the signed root"}
    proof = parts.inclusion(unproven, "/console/audit/exchanges/1")
    assert "catatan 3 tidak ada dalam pohon berukuran 7 dengan akar yang ditandatangani" in proof
