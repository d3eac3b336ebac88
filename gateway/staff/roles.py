"""Who administers, and in which role. Pure.

A role says what its holder may begin; whether a particular act also needs somebody else is for the act's own
rules to say. MUST NOT be stored in a session or trusted from one: roles are read anew at every request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.errors import NotPermitted
from policies.dictionary import Text

Role = Literal["author", "approver", "auditor", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)

# Nobody can be named as the log names what is nobody.
RESERVED_IDS = frozenset({"installation", "console", "unknown"})
_IN_PERSON = frozenset({"password", "oidc"})


@dataclass(frozen=True, slots=True)
class Staff:
    """One staff member, established for one request.

    `via` is how: `password`, `oidc`, `token:ID` for an API token, or `console` for a command that was run on
    the machine itself. With a token, `roles` are the token's, as far as the account still has them.
    """

    id: str
    name: str
    roles: frozenset[Role]
    via: str

    @property
    def actor(self) -> str:
        """How the audit log names whoever acts: the id, and the door if it was not a sign-in."""
        return self.id if self.in_person else f"{self.id}@{self.via}"

    @property
    def in_person(self) -> bool:
        """Whether a person signed in, as opposed to a token or a command on the machine."""
        return self.via in _IN_PERSON

    @property
    def by_token(self) -> bool:
        """Whether it is an API token that acts: where two people are needed, it MUST NOT count as one."""
        return not self.in_person and not self.on_console

    @property
    def on_console(self) -> bool:
        """Whether this is a command on the machine itself, whose user can read the keys anyway."""
        return self.via == "console"


# Whoever runs a command and does not say as whom.
INSTALLATION = Staff("installation", "Installation", frozenset(), "console")


def refuse_token(actor: Staff) -> None:
    """Raises NotPermitted for an API token: where two people are needed, a token is none of them."""
    if actor.by_token:
        raise NotPermitted(
            Text(
                "Token API tidak dapat menyetujui apa pun: diperlukan orang yang masuk sendiri.",
                "An API token approves nothing: it takes a person who signs in.",
            ),
            code="person_needed",
        )


def known_roles(words: Iterable[str]) -> frozenset[Role]:
    """Those of the words that are roles; what is not known gives no right."""
    given = set(words)
    return frozenset(role for role in ROLES if role in given)
