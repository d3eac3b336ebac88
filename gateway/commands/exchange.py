"""`gapura demo` and `gapura ask`: the gateway seen from an agency's side."""

from __future__ import annotations

import json
import signal
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
import typer
from joserfc.errors import JoseError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from gateway.errors import FileUnusable
from gateway.oauth.client import GatewayClient
from gateway.registry.personas import persona
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    from gateway.sources.training import Training

_Operation = Literal["eligibility", "records", "agreements", "usage"]
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
    from gateway import demo as stage  # noqa: PLC0415 - imports that the other commands need not wait for
    from gateway import demo_life as life  # noqa: PLC0415 - as above

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
    from gateway import demo_life as life  # noqa: PLC0415 - as above

    if life.has_lived(settings):
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console) as bars:
        life.live(settings, now, _bar(bars, "Living through a month of exchanges"))


def _demonstrate(settings: Settings, sources: Training, *, once: bool) -> None:
    """Serve and walk through, until the end of the tour or Ctrl-C."""
    from gateway import demo as stage  # noqa: PLC0415 - as above

    gateway = stage.start_gateway(settings, stage.serve)
    for ending in (signal.SIGINT, signal.SIGTERM):
        # `kill` must end the gateway with the demo, as Ctrl-C does; and a shell that starts the demo in the
        # background lets it ignore SIGINT unless it says otherwise.
        signal.signal(ending, _interrupt)
    try:
        _say(f"The gateway listens on {settings.issuer}; its log is {settings.home / 'gateway.log'}.")
        stage.walk_through(settings, sources, _say, _show_json)
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


def ask(
    operation: Annotated[
        _Operation,
        typer.Argument(
            metavar="OPERATION",
            help="eligibility, records, agreements or usage; see above.",
            show_default=False,
        ),
    ],
    consumer: Annotated[
        str,
        typer.Option(
            "--as", metavar="CONSUMER", help="The consumer to ask as, such as bpjs-kesehatan in the demo."
        ),
    ],
    purpose: Annotated[
        str | None,
        typer.Option(help="A purpose of one of its agreements: `gapura ask agreements` lists them."),
    ] = None,
    programme: Annotated[str | None, typer.Option(help="PBI-JK, PKH, BPNT or BST (for eligibility).")] = None,
    nik: Annotated[
        list[str] | None,
        typer.Option(
            help="A NIK to ask about; repeatable. Synthetic ones only: "
            "a shell remembers what is typed. For real ones use --subjects."
        ),
    ] = None,
    pseudonym: Annotated[list[str] | None, typer.Option(help="A pseudonym to ask about; repeatable.")] = None,
    subjects: Annotated[
        Path | None,
        typer.Option(
            help='JSON file with a list of subjects, such as [{"ref": "1", "nik": "..."}]; - for standard '
            "input.",
            allow_dash=True,
        ),
    ] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    on_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day to answer for.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Private JWK of the consumer; default: the demo's.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The gateway; default: GAPURA_PUBLIC_URL or the demo's.")
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Print status and header fields before the answer.")
    ] = False,
) -> None:
    """Ask a running gateway as a consumer and print the answer as JSON.

    \b
    eligibility  who of these people qualifies: --purpose, --programme, people
    records      what may be known of them: --purpose, people; perhaps --field
    agreements   for which purposes you may ask, and what comes back
    usage        how much of each limit is left today

    People are named by --nik, --pseudonym or --subjects. Ends with 1 where the
    gateway answers with a problem.

    \b
    Examples, beside a running `gapura demo`:
      gapura ask agreements --as bpjs-kesehatan
      gapura ask eligibility --as bpjs-kesehatan --purpose pbi-jk-eligibility \\
                 --programme PBI-JK --nik 3578085203849991
      gapura ask records -i --as dinsos-jatim --purpose regional-verification \\
                 --field decile --nik 3578085203849991
    """  # noqa: D301 - the backspace is meant: behind it lines are not joined
    settings = load_settings(public_url=url)
    # The machine's own authorities, so that those count whom an operator has it trust.
    trusted = ssl.create_default_context()
    with httpx.Client(trust_env=False, timeout=60, verify=trusted) as http:
        client = _client(settings, consumer, key, http)
        if operation in {"agreements", "usage"}:
            answer = client.get(f"/v1/{operation}")
        else:
            body = {
                "purpose": purpose,
                "programme": programme,
                "subjects": _subjects(nik or [], pseudonym or [], subjects),
                "fields": field or None,
                "on_date": on_date.date().isoformat() if on_date else None,
            }
            given = {name: value for name, value in body.items() if value is not None}
            answer = client.post(f"/v1/{operation}", given)
    if include:
        print(_head(answer))
    print(json.dumps(answer.json(), indent=2, ensure_ascii=False))
    if answer.is_error:
        raise typer.Exit(1)


def _head(answer: httpx.Response) -> str:
    """The status line and the header fields, as they came, with an empty line behind them."""
    fields = (f"{name}: {value}" for name, value in answer.headers.multi_items())
    return "\n".join([f"{answer.http_version} {answer.status_code} {answer.reason_phrase}", *fields, ""])


def _client(settings: Settings, consumer: str, key: Path | None, http: httpx.Client) -> GatewayClient:
    if key is None:
        from gateway import demo as stage  # noqa: PLC0415 - as above

        return stage.client_for(settings, consumer, http)
    try:
        private_jwk = json.loads(key.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileUnusable(f"{key} cannot be read as a JSON Web Key ({type(error).__name__}).") from error
    try:
        return GatewayClient(settings.issuer, consumer, private_jwk, http)
    except (JoseError, ValueError, TypeError, AttributeError):
        raise FileUnusable(
            f"{key} is not a private JSON Web Key (RFC 7517), as `keygen` writes it."
        ) from None


def _subjects(niks: list[str], pseudonyms: list[str], file: Path | None) -> list[dict[str, Any]]:
    named = [{"nik": nik} for nik in niks] + [{"pseudonym": pseudonym} for pseudonym in pseudonyms]
    asked: list[dict[str, Any]] = [{"ref": str(number), **one} for number, one in enumerate(named, start=1)]
    if file is None:
        return asked
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text(encoding="utf-8")
        listed = json.loads(text)
    except (OSError, ValueError) as error:
        raise FileUnusable(f"{file}: expected a JSON list of subjects ({type(error).__name__}).") from None
    if not isinstance(listed, list):
        raise FileUnusable(f'{file}: expected a JSON list, such as [{{"ref": "1", "nik": "..."}}].')
    return asked + listed


def _console_of(settings: Settings) -> str:
    """Where the console is, and by whose names it can be tried."""
    from gateway import demo_staff  # noqa: PLC0415 - as above

    people = [
        (one.id, password, ", ".join(sorted(one.roles))) for one, password in demo_staff.sign_ins(settings)
    ]
    return f"The console: {settings.issuer}/console  (sign in as)\n" + "\n".join(
        f"  {staff_id:<10} {password}   {roles}" for staff_id, password, roles in people
    )


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
