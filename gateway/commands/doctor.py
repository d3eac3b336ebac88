"""`gapura doctor`: is everything that the gateway needs well, and what is to be done where it is not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.doctor.examination import examine
from gateway.doctor.findings import Finding, is_ill

_MARKS = {"good": "ok", "notice": "look", "wrong": "WRONG", "unknown": "?"}
_INDENT = " " * 21


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of findings.")] = False,
    ask_sources: Annotated[
        bool,
        typer.Option("--sources/--no-sources", help="Ask each source if it answers: one call of its quota."),
    ] = True,
) -> None:
    """Look at settings, keys, clock, database and its copies, log, sources, disk, certificates, agreements.

    Changes nothing and prints no secret. Exit code 1 when something is wrong or could not be looked at.
    """
    findings = []
    for finding in examine(lambda: datetime.now(UTC), ask_sources=ask_sources):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print(json.dumps([finding.as_json for finding in findings], ensure_ascii=False, indent=1))
    else:
        print(_sum(findings))
    raise typer.Exit(int(is_ill(findings)))


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.level]:<6} {finding.about:<13} {finding.said}")
    if finding.level != "good":
        print(f"{_INDENT}-> {finding.do}")


def _sum(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.level for finding in findings)
    if counts["wrong"] or counts["unknown"]:
        return f"{counts['wrong']} wrong, {counts['unknown']} unknown, {counts['notice']} worth a look."
    if counts["notice"]:
        return f"Nothing is wrong; {counts['notice']} worth a look."
    return "All is well."
