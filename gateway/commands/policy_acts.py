"""The acts of `gapura agreements`: from a draft to its end, one command each, as the account of --as."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.agreements.lifecycle import IN_FORCE, NEEDS_REASON, OPEN, ROLES_FOR, Act, Kind, Version
from gateway.agreements.refused import ConditionsUnmet
from gateway.commands.policy_store import (
    As,
    Format,
    OpenStore,
    PolicyId,
    Reason,
    opened_store,
    policy,
    print_json,
    print_lines,
)
from gateway.commands.policy_words import (
    suspension_facts,
    suspension_lines,
    unmet_lines,
    version_facts,
    version_line,
)
from gateway.errors import NotFound

_Version = Annotated[
    int | None, typer.Option("--version", metavar="N", help="Another version than the obvious one.")
]
# What an act does, in the words of its --help.
_WORDS: dict[Act, str] = {
    "submit": "Hand a draft in for approval.",
    "withdraw": "Take a version that waits back into draft; an approval is forgotten.",
    "approve": "Approve a version that was handed in. Nobody approves what they wrote any part of.",
    "refuse": "Hand a version that waits back to its authors, with a reason.",
    "discard": "End a version that never counted, whoever wrote it; it stays in the history, and another may "
    "be begun.",
    "activate": "Put a version into force: at once if it only narrows, else once it is approved.",
    "suspend": "Have an agreement answer nothing from the next request on, on every worker. The consumer "
    "is told since when, and the reason: name the letter.",
    "resume": "Have a suspended agreement answer again; not by whoever suspended it.",
    "revoke": "End an agreement for good.",
}


def register(app: typer.Typer) -> None:
    """Add the acts to a group of commands."""
    for act, words in _WORDS.items():
        _register(app, act, words)


def _register(app: typer.Typer, act: Act, words: str) -> None:
    needs = f"{words}\n\nNeeds the role {' or '.join(ROLES_FOR[act])}"
    needs += ", and a --reason." if act in NEEDS_REASON else "."

    @app.command(act, help=f"{needs} Ends with 1 and each condition, if it is not possible.")
    def command(
        policy_id: PolicyId,
        acting_as: As,
        reason: Reason = "",
        version: _Version = None,
        output: Format = "text",
    ) -> None:
        kind, name = policy(policy_id)
        with opened_store() as opened:
            actor = opened.acting_as(acting_as)
            number = version or _obvious(opened, kind, name, act).version
            try:
                done = opened.store.act(kind, name, number, act, actor, reason=reason)
            except ConditionsUnmet as error:
                if output == "json":
                    print_json(error.members)
                else:
                    print(f"{act} {kind}/{name} version {number} is not possible:")
                    print("\n".join(unmet_lines(error.unmet)))
                raise typer.Exit(1) from error
            approvers = opened.approvers()
        if output == "json":
            print_json(version_facts(done) | suspension_facts(done, approvers))
        else:
            print(version_line(done))
            print_lines(suspension_lines(done, approvers))


def _obvious(opened: OpenStore, kind: Kind, name: str, act: Act) -> Version:
    """The version that an act means: what is in force for what ends it, else the one being worked on."""
    states = IN_FORCE if act in {"suspend", "resume", "revoke"} else OPEN
    found = [version for version in opened.known(kind, name) if version.state in states]
    if not found:
        raise NotFound(f"{kind}/{name} has no version that is {' or '.join(sorted(states))}.")
    return found[0]
