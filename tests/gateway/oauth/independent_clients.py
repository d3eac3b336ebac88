"""Clients that others wrote, as instruments: openid-client and oauth4webapi (npm), requests_oauth2client.

Each gets a token and an answer from any gateway, by its base URL, a consumer's id and its private JWK.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from requests_oauth2client import OAuth2Client, PrivateKeyJwt

NODE_CLIENTS = Path(__file__).parents[2] / "clients"
NODE_SCRIPTS = ("with-openid-client.mjs", "with-oauth4webapi.mjs")

needs_node = pytest.mark.skipif(
    not (NODE_CLIENTS / "node_modules").is_dir(),
    reason="tests/clients/node_modules is missing: `sh deploy/test.sh` installs it (npm ci)",
)


def ask_with_node(
    script: str, base_url: str, client_id: str, key_file: Path, path: str, body: Any, *dpop_algorithm: str
) -> dict[str, Any]:
    """What a Node client printed: `status` and `body` of the answer, and what it saw besides."""
    command = ["node", script, base_url, client_id, str(key_file), path, json.dumps(body), *dpop_algorithm]
    done = subprocess.run(command, cwd=NODE_CLIENTS, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def ask_with_requests(
    base_url: str, client_id: str, private_jwk: Mapping[str, Any], path: str, body: Any, dpop_algorithm: str
) -> dict[str, Any]:
    """The same by requests_oauth2client: `status` and `body`."""
    metadata = requests.get(f"{base_url}/.well-known/oauth-authorization-server", timeout=30).json()
    with requests.Session() as session:
        client = OAuth2Client(
            token_endpoint=metadata["token_endpoint"],
            issuer=metadata["issuer"],
            auth=PrivateKeyJwt(client_id, dict(private_jwk), aud=metadata["issuer"]),
            dpop_bound_access_tokens=True,
            dpop_alg=dpop_algorithm,
            session=session,
            testing=True,
        )
        token = client.client_credentials()
        response = session.post(base_url + path, json=body, auth=token, timeout=30)
        return {"status": response.status_code, "body": response.json()}
