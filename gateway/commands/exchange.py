"""`gapura demo`: the gateway seen from an agency's side."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from gateway.registry.personas import persona
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    from gateway.sources.training import Training

_console = Console(highlight=False, soft_wrap=True)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the tour instead of serving on.")] = False,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8080.")] = None,
    people: Annotated[
        int, typer.Option(min=100, max=10_000_000, help="How many synthetic people, at the first start.")
    ] = 10_000,
) -> None:
    """Set up a gateway on synthetic people and walk through the main job over real HTTP and real OAuth.

    Everything goes into GAPURA_HOME (default .gapura); remove that folder to begin afresh. The second
    start keeps what is there and takes seconds. While it serves, ask further with `gapura ask`.
    """
    from gateway.demo import life, stage  # noqa: PLC0415 - imports that the other commands need not wait for

    settings = load_settings(port=port)
    stage.refuse_taken_port(settings)
    now = datetime.now(UTC)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console) as bars:
        # The agencies were let in before the month that the demo has behind it.
        begun = life.LifeClock(life.begins(now))
        stage.prepare(settings, people, lambda words: _bar(bars, words), _say, begun)
    with stage.outside_sources(settings) as sources:
        _remember(settings.model_copy(update={"sources": sources.file.resolve()}), now)
        _demonstrate(settings.model_copy(update={"sources": sources.file.resolve()}), sources, once=once)


def _remember(settings: Settings, now: datetime) -> None:
    """At the first start, live the month that the console shows."""
    from gateway.demo import life  # noqa: PLC0415 - as above

    if life.has_lived(settings):
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console) as bars:
        life.live(settings, now, _bar(bars, "Living through a month of exchanges"))


def _demonstrate(settings: Settings, sources: Training, *, once: bool) -> None:
    """Serve and walk through, until the end of the tour or Ctrl-C."""
    from gateway.demo import stage, tour  # noqa: PLC0415 - as above

    gateway = stage.start_gateway(settings, stage.serve)
    for ending in (signal.SIGINT, signal.SIGTERM):
        # `kill` must end the gateway with the demo, as Ctrl-C does; and a shell that starts the demo in the
        # background lets it ignore SIGINT unless it says otherwise.
        signal.signal(ending, _interrupt)
    try:
        _say(f"The gateway listens on {settings.issuer}; its log is {settings.home / 'gateway.log'}.")
        tour.walk_through(settings, sources, _say, _show_json)
        if not once:
            _say(_further(settings))
            _say(_console_of(settings))
            _say("\nServing until Ctrl-C.")
            gateway.wait()
    except KeyboardInterrupt:
        _say("\nStopping.")
    finally:
        gateway.terminate()
        gateway.wait()


def _console_of(settings: Settings) -> str:
    """Where the console is, and by whose names it can be tried."""
    from gateway.demo import staff  # noqa: PLC0415 - as above

    people = [(one.id, password, ", ".join(sorted(one.roles))) for one, password in staff.sign_ins(settings)]
    return f"The console: {settings.issuer}/console  (sign in with an id and its password)\n" + sign_ins_told(
        people
    )


def sign_ins_told(people: Sequence[tuple[str, str, str]]) -> str:
    """Accounts with their passwords and roles, as lines in columns that say what they are.

    >>> print(sign_ins_told([("operator", "s3cret-word", "auditor, operator")]))
      Id         Password      Roles
      operator   s3cret-word   auditor, operator
    """
    rows = [("Id", "Password", "Roles"), *people]
    width = max(len(password) for _, password, _ in rows)
    return "\n".join(f"  {staff_id:<10} {password:<{width}}   {roles}" for staff_id, password, roles in rows)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _bar(bars: Progress, words: str) -> Callable[[float], None]:
    task = bars.add_task(words, total=1.0)
    return lambda share: bars.update(task, completed=share)


def _say(text: str) -> None:
    _console.print(text, markup=False)


def _show_json(content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    _console.print("\n".join("    " + line for line in text.splitlines()), markup=False)


def _further(settings: Settings) -> str:
    known = {"GAPURA_HOME": (settings.home, Path(".gapura")), "GAPURA_PORT": (settings.port, 8080)}
    other = [f"{name}={value} " for name, (value, default) in known.items() if value != default]
    gapura = f"{''.join(other)}.venv/bin/gapura"
    return (
        "\nAsk further from another terminal:\n"
        f"  {gapura} ask eligibility --as bpjs-kesehatan --purpose pbi-jk-eligibility --programme PBI-JK "
        f"--nik {persona('eligible').nik}\n"
        f"  {gapura} ask agreements --as dinsos-jatim\n"
        f"  {gapura} ask --help\n"
        f"  {gapura} sources\n"
        f"  {gapura} areas import big --level regency --edition 2025 --valid-from 2025-04-25\n"
        f"The contract: {settings.issuer}/docs and {settings.issuer}/openapi.json"
    )
