"""nginx as it stands before a gateway: Debian's, with the configuration that `deploy/nginx` ships."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

import pytest

from tests.certificates import Authority
from tests.listening import wait_until_it_listens

SHIPPED = Path(__file__).parents[1] / "deploy" / "nginx"
# The address from which this nginx calls the gateway: it is trusted, the tests' own 127.0.0.1 is not.
ADDRESS = "127.0.0.2"

_PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_SCRIPTING = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
# What Debian's nginx.conf says elsewhere: where files go, and which modules are there.
_MAIN = Template("""\
$user
daemon off;
pid nginx.pid;
error_log error.log warn;
load_module $scripting;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    proxy_bind $address;
    include gapura.conf;
}
""")

needs_nginx = pytest.mark.skipif(
    _PROGRAM is None or not _SCRIPTING.is_file(),
    reason="nginx or libnginx-mod-http-js is missing: `sh deploy/test.sh` installs them (apt-get)",
)


@contextmanager
def nginx(
    folder: Path, port: int, *, upstream: str, clients: Authority, site: Authority, second: str | None = None
) -> Iterator[None]:
    """nginx at https://127.0.0.1:`port` before one node or two; `site` certifies it, `clients` partners."""
    certificate, key = site.issue("127.0.0.1").write(folder, "site")
    trusted, _ = clients.root.write(folder, "clients")
    shipped = Template((SHIPPED / "gapura.conf.template").read_text(encoding="utf-8"))
    said = shipped.safe_substitute(
        SITE_LISTEN=f"127.0.0.1:{port}",
        SITE_NAME="127.0.0.1",
        SITE_CERTIFICATE=certificate,
        SITE_KEY=key,
        CLIENT_CA=trusted,
        UPSTREAM=urlsplit(upstream).netloc,
        SECOND_UPSTREAM=urlsplit(second or upstream).netloc,
        SCRIPTS=str(SHIPPED),
    )
    (folder / "gapura.conf").write_text(said, encoding="utf-8")
    main = _MAIN.substitute(
        user="user root root;" if os.getuid() == 0 else "", scripting=_SCRIPTING, address=ADDRESS
    )
    (folder / "nginx.conf").write_text(main, encoding="utf-8")
    assert _PROGRAM is not None
    process = subprocess.Popen([_PROGRAM, "-e", "error.log", "-p", str(folder), "-c", "nginx.conf"])
    try:
        wait_until_it_listens(process, port, folder / "error.log")
        yield
    finally:
        process.terminate()
        process.wait()
