"""The folder of policies as a whole: dictionary, rules and agreements, checked against each other."""

from __future__ import annotations

from pathlib import Path

from policies.agreement import AgreementBook, load_agreements
from policies.conditions import load_rules
from policies.dictionary import load_dictionary


def load_policies(folder: Path) -> AgreementBook:
    """The book of `folder`: its `fields.yaml`, `programmes/` and `agreements/`.

    Raises PolicyError. An agreement is judged by the dictionary and the rules, so their mistakes come first,
    alone; within one step all problems of all files are told at once.
    """
    dictionary = load_dictionary(folder / "fields.yaml")
    rules = load_rules(folder / "programmes", dictionary)
    return load_agreements(folder / "agreements", dictionary, rules)
