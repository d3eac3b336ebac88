"""`gapura ask`: one question to a running gateway, as a partner would put it, from the command line.

By default as one of the demo's agencies; with `--key` as any consumer, and with `--cert` as one whose tokens
are bound to its TLS certificate (RFC 8705). MUST NOT log or keep what was asked or answered.
"""

from __future__ import annotations

import json
import ssl
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
from joserfc.errors import JoseError

from gateway.errors import BadInput, FileUnusable
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings, load_settings

_TIMEOUT_S = 60

_Operation = Annotated[
    Literal["eligibility", "records", "agreements", "usage"],
    typer.Argument(
        metavar="OPERATION", help="eligibility, records, agreements or usage; see above.", show_default=False
    ),
]
_Consumer = Annotated[
    str,
    typer.Option(
        "--as", metavar="CONSUMER", help="The consumer to ask as, such as bpjs-kesehatan in the demo."
    ),
]
_Purpose = Annotated[
    str | None, typer.Option(help="A purpose of one of its agreements: `gapura ask agreements` lists them.")
]
_Programme = Annotated[str | None, typer.Option(help="PBI-JK, PKH, BPNT or BST (for eligibility).")]
_Niks = Annotated[
    list[str] | None,
    typer.Option(
        help="A NIK to ask about; repeatable. Synthetic ones only: a shell remembers what is typed. For real "
        "ones use --subjects."
    ),
]
_Pseudonyms = Annotated[list[str] | None, typer.Option(help="A pseudonym to ask about; repeatable.")]
_Subjects = Annotated[
    Path | None,
    typer.Option(
        help='JSON file with a list of subjects, such as [{"ref": "1", "nik": "..."}]; - for standard input.',
        allow_dash=True,
    ),
]
_Fields = Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")]
_OnDate = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day to answer for.")]
_KeyFile = Annotated[Path | None, typer.Option(help="Private JWK of the consumer; default: the demo's.")]
_Certificate = Annotated[
    Path | None,
    typer.Option(
        help="TLS client certificate, PEM, of a consumer whose tokens are bound to one: shown for the token "
        "and for the question."
    ),
]
_CertificateKey = Annotated[
    Path | None, typer.Option(help="Its private key, PEM; default: in the same file as the certificate.")
]
_Authorities = Annotated[
    Path | None,
    typer.Option(help="PEM of whom to trust for the gateway's own certificate; default: as this machine."),
]
_Url = Annotated[str | None, typer.Option(help="The gateway; default: GAPURA_PUBLIC_URL or the demo's.")]
_Include = Annotated[
    bool, typer.Option("--include", "-i", help="Print status and header fields before the answer.")
]


def ask(
    operation: _Operation,
    consumer: _Consumer,
    purpose: _Purpose = None,
    programme: _Programme = None,
    nik: _Niks = None,
    pseudonym: _Pseudonyms = None,
    subjects: _Subjects = None,
    field: _Fields = None,
    on_date: _OnDate = None,
    key: _KeyFile = None,
    cert: _Certificate = None,
    cert_key: _CertificateKey = None,
    cacert: _Authorities = None,
    url: _Url = None,
    include: _Include = False,
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
    and at a site, with the certificate that the tokens are bound to:
      gapura ask agreements --as bpjs-kesehatan --url https://SITE \\
                 --key own.jwk.json --cert own.crt --cert-key own.key
    """  # noqa: D301 - the backspace is meant: behind it lines are not joined
    question = None
    if operation not in {"agreements", "usage"}:
        people = _people(nik or [], pseudonym or [], subjects)
        question = _question(purpose, programme, people, field, on_date)
    settings = load_settings(public_url=url)
    with _connection(cert, cert_key, cacert) as http:
        client = _client(settings, consumer, key, http)
        client.certificate_bound = cert is not None
        path = f"/v1/{operation}"
        answer = client.get(path) if question is None else client.post(path, question)
    _show(answer, with_head=include)


def _question(
    purpose: str | None,
    programme: str | None,
    subjects: list[dict[str, Any]],
    fields: list[str] | None,
    on_date: datetime | None,
) -> dict[str, Any]:
    """The request's body: what was not given is left out, for the gateway to say what is missing."""
    body = {
        "purpose": purpose,
        "programme": programme,
        "subjects": subjects,
        "fields": fields or None,
        "on_date": on_date.date().isoformat() if on_date else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _people(niks: list[str], pseudonyms: list[str], file: Path | None) -> list[dict[str, Any]]:
    """Whom the options and the file name. Raises FileUnusable."""
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


def _connection(cert: Path | None, cert_key: Path | None, cacert: Path | None) -> httpx.Client:
    """A client that shows this certificate and trusts these authorities. Raises BadInput, FileUnusable."""
    if cert_key is not None and cert is None:
        raise BadInput("--cert-key: expected the certificate of this key in --cert.")
    try:
        # The machine's own authorities, so that those count whom an operator has it trust.
        context = ssl.create_default_context(cafile=cacert)
    except (OSError, ssl.SSLError) as error:
        raise FileUnusable(f"{cacert}: expected certificates in PEM ({type(error).__name__}).") from None
    if cert is not None:
        try:
            context.load_cert_chain(cert, cert_key)
        except (OSError, ssl.SSLError) as error:
            files = f"{cert} and {cert_key}" if cert_key else f"{cert}"
            raise FileUnusable(
                f"{files}: expected a certificate and its private key in PEM ({type(error).__name__}); where "
                "they are two files, name the second by --cert-key."
            ) from None
    hooks = {"response": [_refuse_what_no_gateway_says]}
    return httpx.Client(trust_env=False, timeout=_TIMEOUT_S, verify=context, event_hooks=hooks)


def _refuse_what_no_gateway_says(answer: httpx.Response) -> None:
    """A gateway answers in JSON; what stands before it, when it lets nobody through, in a page."""
    kind = answer.headers.get("content-type", "nothing").partition(";")[0]
    if not kind.endswith("json"):
        raise BadInput(
            f"{answer.request.url.netloc.decode()} answers {answer.status_code} {answer.reason_phrase} with "
            f"{kind}, which no gateway does: something before it let nobody through. With --cert: is the "
            "certificate of an authority that the site trusts, and has it not ended?"
        )


def _client(settings: Settings, consumer: str, key: Path | None, http: httpx.Client) -> GatewayClient:
    """The consumer's client, by its own key or the demo's. Raises FileUnusable, NotFound."""
    if key is None:
        from gateway.demo import stage  # noqa: PLC0415 - imports that whoever has a key need not wait for

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


def _show(answer: httpx.Response, *, with_head: bool) -> None:
    """Print the answer; a problem ends the command with 1."""
    if with_head:
        print(_head(answer))
    print(json.dumps(answer.json(), indent=2, ensure_ascii=False))
    if answer.is_error:
        raise typer.Exit(1)


def _head(answer: httpx.Response) -> str:
    """The status line and the header fields, as they came, with an empty line behind them."""
    fields = (f"{name}: {value}" for name, value in answer.headers.multi_items())
    return "\n".join([f"{answer.http_version} {answer.status_code} {answer.reason_phrase}", *fields, ""])
