"""What lets a version be tried before it counts, wired once, for the composition root and for commands."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.agreements.past import Explanations
from gateway.agreements.preview import Preview
from gateway.agreements.replay import Replay


@dataclass(frozen=True, slots=True)
class Trials:
    """A version on one person (`preview`) and on the log (`replay`); what was, from the log (`explain`)."""

    preview: Preview
    replay: Replay
    explain: Explanations
