"""A previewed exchange as a case: what was tried is written down so that it stays true. Pure.

The text is that of a cases file with one person and one case, and `with_case` puts it into another without
touching what stands there. MUST NOT be given a person who is not invented.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Mapping
from datetime import date
from typing import Any

import yaml

from gateway.agreements.sides import Side
from gateway.errors import BadInput
from policies.agreement import Agreement, AgreementBook
from policies.cases import parse_cases, run_case
from policies.decide import ConsumerTerms, Request
from policies.dictionary import Text, Value
from policies.errors import PolicyError
from policies.plan import withheld_by_text

_TITLE = Text(
    "Dari pratinjau: inilah yang keluar tentang orang ini.",
    "From a preview: this is what comes out about them.",
)


class _Plain(yaml.SafeDumper):
    """Writes everything out: the reader of policies refuses anchors and aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        del data
        return True


def case_of(
    agreement: Agreement,
    book: AgreementBook,
    *,
    day: date,
    consumer: ConsumerTerms,
    request: Request,
    values: Mapping[str, Value],
    claims: Mapping[str, str],
    unavailable: frozenset[str],
    side: Side,
) -> str | None:
    """The cases file that says of an invented person what `side` shows; None where no case can say it.

    `values` are the person's, `unavailable` the fields of which no source was heard. What is given has been
    run: it holds under `book`.
    """
    facts = {name: _fact(value) for name, value in sorted(values.items()) if value is not None}
    if not facts:
        return None
    name = f"sintetis {hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:8]}"
    case: dict[str, Any] = {
        "case": {"id": _TITLE.id, "en": _TITLE.en},
        "on": day,
        "person": name,
        **_registered(agreement, consumer),
        "request": _request(agreement, request),
    }
    if claims:
        case["claims"] = dict(claims)
    if unavailable:
        case["unavailable"] = sorted(unavailable)
    case["expect"] = _expected(side, request.fields)
    text = _written({"people": {name: facts}}) + "\n" + _written({"cases": [case]})
    return text if _holds(text, agreement, book) else None


def with_case(cases: bytes, written: str) -> bytes:
    """A cases file with what `case_of` wrote put in: its person after the others, its case at the end.

    Everything else stays as it is, comments too. A person who is there already is not written twice. Raises
    BadInput where the file does not have `people:` and then `cases:` on lines of their own.
    """
    if not cases.strip():
        return written.encode()
    lines = cases.decode().rstrip().splitlines()
    if "cases:" not in lines or "people:" not in lines[: lines.index("cases:")]:
        raise BadInput(
            Text(
                "Berkas kasus: diharapkan baris `people:` dan sesudahnya `cases:`; tulis keduanya, atau "
                "masukkan kasusnya dengan tangan.",
                "The cases file: expected the lines `people:` and, after it, `cases:`; write them, or put "
                "the case in by hand.",
            )
        )
    begins = lines.index("cases:")
    people, listed = lines[:begins], lines[begins:]
    while not people[-1].strip():
        people.pop()
    person, case = (part.splitlines()[1:] for part in written.split("\n\n"))
    person = _aligned(person, people[people.index("people:") + 1 :])
    if person[0] in people:
        person = []
    return "\n".join([*people, *person, "", *listed, "", *_aligned(case, listed[1:])]).encode() + b"\n"


def _aligned(block: list[str], neighbours: list[str]) -> list[str]:
    """The block, indented as deep as what stands beside it."""
    told = next((line for line in neighbours if line.strip() and not line.strip().startswith("#")), "  ")
    margin = told[: len(told) - len(told.lstrip())]
    return textwrap.indent(textwrap.dedent("\n".join(block)), margin).splitlines()


def _fact(value: Value) -> Any:
    """A value as cases write it: an empty list is the word `none`."""
    return (list(value) or "none") if isinstance(value, tuple) else value


def _registered(agreement: Agreement, consumer: ConsumerTerms) -> dict[str, Any]:
    """What of the registration is otherwise than a case takes for granted."""
    told: dict[str, Any] = {}
    if consumer.id != agreement.consumer:
        told["consumer"] = consumer.id
    if consumer.sector != (agreement.pseudonym_sector or agreement.consumer):
        told["sector"] = consumer.sector
    if consumer.regions:
        told["regions"] = sorted(consumer.regions)
    return {"registered": told} if told else {}


def _request(agreement: Agreement, request: Request) -> dict[str, Any]:
    told: dict[str, Any] = {"operation": request.operation}
    if request.purpose != agreement.purpose:
        told["purpose"] = request.purpose
    if request.programme is not None:
        told["programme"] = request.programme
    if request.fields is not None:
        told["fields"] = list(request.fields)
    return told


def _expected(side: Side, asked: tuple[str, ...] | None) -> dict[str, Any]:
    if side.denied is not None:
        return {"denied": side.denied.code}
    if side.reason is not None:
        return {"out_of_scope": True}
    states = {field.name: field.state for field in side.fields}
    values = {field.name: _spelt(field.value) for field in side.fields if field.value is not None}
    absent = [name for name, state in states.items() if state == "absent"]
    unknown = [name for name, state in states.items() if state in {"unknown", "not_asked"}]
    # A case says what the text means, whatever the one before it said.
    withheld = withheld_by_text(side.plan, asked) if side.plan is not None else {}
    told = {
        "decision": side.decision,
        "clauses": dict(side.clauses or {}),
        "values": values or "none",
        "absent": absent,
        "unknown": unknown,
        "withheld": withheld,
    }
    return {name: said for name, said in told.items() if said}


def _spelt(value: Any) -> Any:
    return (value or "none") if isinstance(value, list) else str(value)


def _written(part: Mapping[str, Any]) -> str:
    """One part of a cases file."""
    text = yaml.dump(
        dict(part), Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return _indented(text) if "cases" in part else text


def _indented(text: str) -> str:
    """List entries below their key, as the shipped files have them."""
    first, *rest = text.splitlines()
    return "\n".join([first, *(f"  {line}" for line in rest)]) + "\n"


def _holds(text: str, agreement: Agreement, book: AgreementBook) -> bool:
    try:
        cases = parse_cases(text.encode(), "preview.cases.yaml", agreement, book.dictionary)
    except PolicyError:
        return False
    return not any(run_case(case, book) for case in cases)
