"""Settings: `GAPURA_*` environment variables or a TOML file, all checked at the start, all problems at once.

Every setting has a default that is safe on one machine; none of them is a secret, and none is secret-like:
keys are files of the home folder, made on first use. An unknown `GAPURA_` variable refuses the start:
a misspelt setting that is silently ignored is how limits go missing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.errors import SettingsInvalid

_PREFIX = "GAPURA_"
_DATABASES = {"postgresql", "postgres", "sqlite"}
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_FILE_VARIABLE = "GAPURA_SETTINGS_FILE"
# How the sources of a home folder are called there; the simulators write theirs under this name.
SOURCES_FILE = "sources.toml"
# One line each, printable ASCII: what is served cannot be made to say another field.
_CONTACT = re.compile(r"mailto:[!-~]+@[!-~]+|https://[!-~]+|tel:\+[0-9-]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_SHIPPED_POLICIES = Path(__file__).parent.parent / "policies"


class Settings(BaseSettings):
    """Everything an operator can set. Read once, then immutable."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True, validate_default=True)

    home: Path = Field(
        Path(".gapura"), description="Folder of the embedded database and the keys; made with mode 0700."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of PostgreSQL or SQLite; empty means SQLite in the home folder."
    )
    database_direct_url: str = Field(
        "",
        description="URL of the same PostgreSQL without a pooler between, where database_url leads to "
        "PgBouncer in transaction mode; empty means that database_url leads to the server itself.",
    )
    database_report_url: str = Field(
        "",
        description="URL of a replica of the same PostgreSQL, best as gapura_reporting, from which access "
        "histories, reports and lists of the log are read; empty means the database itself.",
    )
    report_lag_s: int = Field(
        60,
        ge=0,
        le=600,
        description="How far behind that replica may be and still be read, seconds; as of when it was, the "
        "answer says. Beyond that, and while it is away, the database itself is read.",
    )
    public_url: HttpUrl | None = Field(
        None,
        description="The address consumers use, without a path. It is the OAuth issuer, and DPoP proofs are "
        "compared with it, never with the Host header. Empty means http://HOST:PORT.",
    )
    trusted_proxies: str = Field(
        "",
        description="Networks, such as 10.20.0.0/28, of the proxies whose Client-Cert header (RFC 9440) is "
        "believed, separated by commas; empty means nobody's, and no token is bound to a certificate.",
    )
    mtls_url: HttpUrl | None = Field(
        None,
        description="The address at which the proxies ask for client certificates, if it is another than "
        "public_url, without a path.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve; more than one needs PostgreSQL.")
    drain_s: float = Field(
        0,
        ge=0,
        le=300,
        description="How long a process that is told to end (SIGTERM) goes on serving while /health/ready "
        "says 503, seconds: longer than your load balancer takes to see it. 0 means not at all.",
    )
    policies: Path = Field(
        _SHIPPED_POLICIES,
        description="Folder with fields.yaml, agreements/ and programmes/.",
    )
    token_lifetime_s: int = Field(300, ge=30, le=3600, description="Life of an access token, seconds.")
    exchange_timeout_s: float = Field(
        10.0, gt=0, le=120, description="Deadline of one exchange over all sources, seconds."
    )
    max_body_bytes: int = Field(
        1_000_000, ge=1_000, le=50_000_000, description="Largest request body; 1000 subjects need 120 kB."
    )
    sources: Path | None = Field(
        None,
        description="sources.toml: how outside sources are reached; empty means sources.toml of the home "
        "folder, and where there is none either, no source is asked.",
    )
    most_shrink_percent: int = Field(
        20,
        ge=0,
        le=100,
        description="An import that would remove more than this share of what the store has of an outside "
        "list or map is held until somebody says --accept-shrink, percent.",
    )
    oidc_issuer: str = Field(
        "",
        description="OpenID provider by which staff sign in, as it calls itself; empty means passwords only.",
    )
    oidc_client_id: str = Field("", description="This gateway's client id at the provider.")
    oidc_client_secret_file: Path | None = Field(
        None, description="File of mode 0600 with the client secret; empty means a public client."
    )
    oidc_match: Literal["subject", "email"] = Field(
        "subject",
        description="Whose account a sign-in opens: that of the registered subject, or, at the first "
        "sign-in, that of the e-mail address which the provider has verified.",
    )
    key_source: Path | None = Field(
        None,
        description="TOML file that says where the master key comes from: OpenBao/Vault, an environment "
        "variable or a file of a secret manager; empty means the file master.key of the home folder.",
    )
    registry_file: Path | None = Field(
        None,
        description="TOML file that maps an existing DTKS database, which is then read in place of the "
        "gateway's own tables; empty means those.",
    )
    verdicts_kept_days: int = Field(
        180, ge=1, le=3650, description="How long a source's last verdict is kept that nobody asks for again."
    )
    spark_remote: str = Field(
        "",
        description="Address of a Spark Connect server for `reconcile --engine spark`, such as "
        "sc://spark:15002; empty means Spark on this machine.",
    )
    former_regions: Path | None = Field(
        None,
        description="CSV file (UTF-8, header old_code,new_code) of regions that were renamed, split or "
        "abolished, for `reconcile`: a person there is then not elsewhere; empty means none were.",
    )
    backup_folder: Path | None = Field(
        None,
        description="Folder of the backups, on another machine's disk: sets/, and wal/ with PostgreSQL's "
        "archived log; empty means that nothing can be backed up.",
    )
    backup_recipients: str = Field(
        "",
        description="Public age keys, separated by commas, to which backups are encrypted; each one's "
        "private half, kept elsewhere, opens them. `gapura backup new-key` makes one.",
    )
    backup_database_url: str = Field(
        "",
        description="URL of the same PostgreSQL as a role with REPLICATION, such as gapura_backup; empty "
        "means that the role of database_url has it.",
    )
    backup_keep_days: int = Field(
        35, ge=1, le=3650, description="How long `gapura backup prune` keeps a backup, days."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    otlp_endpoint: HttpUrl | None = Field(
        None,
        description="Where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; empty "
        "means that nothing is traced.",
    )
    otlp_share_percent: float = Field(
        10.0, ge=0, le=100, description="Share of the requests that are traced, percent."
    )
    certificates: str = Field(
        "",
        description="PEM files, separated by commas, whose end the metrics and `gapura doctor` watch: the "
        "site's certificate, the authorities of partners' certificates; empty means none.",
    )

    security_contact: str = Field(
        "",
        description="Whom to tell of a weakness, the preferred one first, separated by commas: mailto:, "
        "https: or tel: addresses of an office; served as /.well-known/security.txt (RFC 9116). Empty means "
        "that there is none.",
    )
    security_policy: HttpUrl | None = Field(
        None, description="Address (https) of the rules for whoever looks for weaknesses; for the same file."
    )
    security_languages: str = Field(
        "id, en", description="Languages in which reports are read (RFC 5646), for the same file."
    )

    @field_validator("security_contact")
    @classmethod
    def _contacts_only(cls, value: str) -> str:
        if not all(map(_CONTACT.fullmatch, _listed(value))):
            raise ValueError("expected addresses such as mailto:office@example.go.id, separated by commas")
        return value

    @field_validator("security_languages")
    @classmethod
    def _languages_only(cls, value: str) -> str:
        if not _listed(value) or not all(map(_LANGUAGE.fullmatch, _listed(value))):
            raise ValueError("expected languages such as `id, en`")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks_only(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("public_url", "mtls_url")
    @classmethod
    def _origin_only(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and ((value.path or "/") != "/" or value.query or value.fragment):
            raise ValueError("must be an origin such as https://gapura.example.go.id, without path or query")
        return value

    @property
    def issuer(self) -> str:
        """The OAuth issuer: scheme and authority, no trailing slash."""
        if self.public_url is not None:
            return str(self.public_url).rstrip("/")
        return f"http://{self.host}:{self.port}"

    @property
    def mtls_origin(self) -> str:
        """Where consumers with certificates call: scheme and authority, no trailing slash."""
        return str(self.mtls_url).rstrip("/") if self.mtls_url is not None else self.issuer

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the trusted proxies."""
        return _networks(self.trusted_proxies)

    @property
    def effective_database_url(self) -> str:
        """The URL that is really opened."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'gapura.db'}"

    @property
    def certificate_files(self) -> tuple[Path, ...]:
        """The files whose end is watched."""
        return tuple(map(Path, _listed(self.certificates)))

    @property
    def security_contacts(self) -> tuple[str, ...]:
        """Whom to tell of a weakness, the preferred one first; empty where nobody is named."""
        return _listed(self.security_contact)

    @property
    def session_database_url(self) -> str:
        """The URL for what needs sessions of its own (commands, migrations, locks): never of a pooler."""
        return self.database_direct_url or self.effective_database_url

    @property
    def sources_file(self) -> Path | None:
        """The sources.toml that is really read; None where there is none, and no source is asked."""
        own = self.home / SOURCES_FILE
        return self.sources or (own if own.is_file() else None)

    def environment(self) -> dict[str, str]:
        """The variables that make another process read these same settings."""
        values = self.model_copy(update={"home": self.home.resolve()})
        return {_PREFIX + name.upper(): str(value) for name, value in values if value not in {None, ""}}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over environment; the file is given through `load_settings`, below both."""
        return init_settings, env_settings


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings: command line (`overrides`, None = not given) over environment over file.

    The file is TOML, named by `GAPURA_SETTINGS_FILE`. Raises SettingsInvalid with every problem found.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    values: dict[str, Any] = {}
    known = set(Settings.model_fields)
    if file_name := environment.get(_FILE_VARIABLE):
        values.update(_read_file(Path(file_name), known, problems))
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name == _FILE_VARIABLE:
            continue
        key = name.removeprefix(_PREFIX).lower()
        if key in known:
            values[key] = value
        else:
            problems.append(f"{name} is not a setting. Known: {_names(known)}")
    values.update({key: value for key, value in overrides.items() if value is not None})
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems.extend(
            f"{_PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()
        )
    else:
        problems.extend(_contradictions(settings))
        if not problems:
            return settings
    raise SettingsInvalid(problems)


def is_safe_address(address: str) -> bool:
    """Whether secrets may be sent there: https, or http that does not leave this machine."""
    parts = urlsplit(address)
    if parts.scheme == "http":
        return parts.hostname in _THIS_MACHINE
    return parts.scheme == "https" and bool(parts.hostname)


def _contradictions(settings: Settings) -> Iterator[str]:
    """What is wrong although each setting is right by itself."""
    yield from _contradictions_of_databases(settings)
    if bool(settings.oidc_issuer) != bool(settings.oidc_client_id):
        yield "GAPURA_OIDC_ISSUER and GAPURA_OIDC_CLIENT_ID: expected both, or neither"
    if settings.oidc_issuer and not is_safe_address(settings.oidc_issuer):
        yield "GAPURA_OIDC_ISSUER: expected https://..., or http:// on this machine alone"
    policy = settings.security_policy
    if policy is not None and (policy.scheme != "https" or not settings.security_contacts):
        yield "GAPURA_SECURITY_POLICY: expected https://..., beside GAPURA_SECURITY_CONTACT"
    if settings.mtls_url is not None and not settings.trusted_networks:
        yield "GAPURA_MTLS_URL without GAPURA_TRUSTED_PROXIES: expected both, or neither"
    if settings.mtls_url is not None and settings.mtls_url.scheme != "https":
        yield "GAPURA_MTLS_URL: expected https://..., there is no certificate without TLS"
    if not (settings.policies / "fields.yaml").is_file():
        yield f"GAPURA_POLICIES: no fields.yaml in {settings.policies}"


def _contradictions_of_databases(settings: Settings) -> Iterator[str]:
    for name in ("database_url", "database_direct_url", "database_report_url", "backup_database_url"):
        # With a second @ the end of the password would be taken for the server's name, and told as such.
        if (address := getattr(settings, name)).startswith("postgres") and address.count("@") > 1:
            yield (
                f"{_PREFIX}{name.upper()}: expected one @, before the server's name; "
                "in a password @ : / ? # % are written %40 %3A %2F %3F %23 %25"
            )
    url = settings.effective_database_url
    if url.partition(":")[0].partition("+")[0] not in _DATABASES:
        yield "GAPURA_DATABASE_URL: expected postgresql://... or sqlite:///..."
    for other in ("database_direct_url", "database_report_url"):
        for name in ("database_url", other) if getattr(settings, other) else ():
            if not getattr(settings, name).startswith("postgres"):
                yield f"{_PREFIX}{name.upper()}: with {_PREFIX}{other.upper()}, expected postgresql://..."
    if settings.workers > 1 and url.startswith("sqlite"):
        yield "GAPURA_WORKERS is more than 1, which needs PostgreSQL: set GAPURA_DATABASE_URL, or 1 worker"


def _listed(text: str) -> tuple[str, ...]:
    """What stands between the commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks in a comma-separated text. Raises ValueError for anything else, and for all the world."""
    try:
        networks = tuple(ip_network(part.strip()) for part in text.split(",")) if text.strip() else ()
    except ValueError as error:
        raise ValueError(f"expected networks such as 10.20.0.0/28, separated by commas: {error}") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("expected the networks of the proxies; everybody could write the header of theirs")
    return networks


def _read_file(path: Path, known: set[str], problems: list[str]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(
            f"{_FILE_VARIABLE}: {path} cannot be read as TOML ({error.__class__.__name__}: {error})"
        )
        return {}
    problems.extend(
        f"{path}: {key} is not a setting. Known: {', '.join(sorted(known))}"
        for key in content
        if key not in known
    )
    return {key: value for key, value in content.items() if key in known}


def _names(keys: set[str]) -> str:
    return ", ".join(_PREFIX + key.upper() for key in sorted(keys))
