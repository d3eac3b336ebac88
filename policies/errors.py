"""The one error of the policies: texts that cannot be used as they are, every problem told at once."""

from __future__ import annotations


class PolicyError(Exception):
    """A dictionary, agreement, rule or cases file is refused; `problems` says where, why and what to write.

    It concerns the people who write policies and never a request: a refused request is a `Deny`.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
