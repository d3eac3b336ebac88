"""A guard against an outside list that suddenly shrinks: half a file, or a publisher's mistake, is held.

What is removed by such an import is who is helped, or where a region lies, so a person looks before it
counts. Pure: who imports says what would go; nothing here removes or keeps anything.
"""

from __future__ import annotations

from gateway.errors import Conflict


class Held(Conflict):
    """An import would remove more than it may without being told so; nothing was changed."""

    code = "import_held"


def refuse_shrinking(what: str, *, held: int, gone: int, most_percent: int | None) -> None:
    """Raise Held where `gone` of the `held` are more than `most_percent` of them; None holds nothing.

    `what` names the things in the plural, and nobody in particular.
    """
    if most_percent is None or gone * 100 <= held * most_percent:
        return
    raise Held(
        f"Of {held} {what} in the store {gone} would go ({gone / held:.1%}, and {most_percent} % may go "
        "unasked): nothing was changed. Is the source complete? If it is right, run it again with "
        "--accept-shrink."
    )
