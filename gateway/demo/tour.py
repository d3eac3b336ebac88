"""The main job, shown: every question of the tour, asked over real HTTP as the agency that it names.

The questions are those of the API's own examples. MUST NOT be walked on a registry of real people: what was
sent and what came back is printed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from gateway.api.examples import TOUR, Stop
from gateway.demo.stage import Say, client_for
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings
from gateway.sources.training import Training
from policies.dictionary import Text

_RECOVERY_TIMEOUT_S = 20
_LONG_PART_CHARS = 300


def walk_through(settings: Settings, sources: Training, say: Say, show_json: Callable[[Any], None]) -> None:
    """Ask every question of the tour as the consumer it names, and show what was sent and what came back."""
    with httpx.Client(trust_env=False, timeout=30) as http:
        clients: dict[str, GatewayClient] = {}
        learned: dict[str, str] = {}
        told: dict[str, int] = {}
        for number, stop in enumerate(TOUR, start=1):
            client = clients.setdefault(stop.consumer, client_for(settings, stop.consumer, http))
            say(f"\n[{number}/{len(TOUR)}] {stop.title.en}\n      {stop.title.id}")
            body = _with_learned(stop.body, learned)
            if stop.down:
                sources.stop(stop.down)
            say(f"  as {stop.consumer}:  POST {stop.path}")
            show_json(body)
            if patience := _patience(stop):
                say(f"  ... {patience.en}\n      {patience.id}")
            answer = _asked(client, stop, body)
            content = answer.json()
            if stop.down:
                sources.start(stop.down)
            say(f"  answer: HTTP {answer.status_code}")
            show_json(_without_repeats(content, number, told))
            say(f"  -> {stop.moral.en}\n     {stop.moral.id}")
            for result in content.get("results", ()):
                if "pseudonym" in result:
                    learned[f"{stop.consumer}:{result['ref']}"] = result["pseudonym"]


def _patience(stop: Stop) -> Text | None:
    """What to read while an answer takes its time; None where it comes at once."""
    if stop.down:
        return Text(
            id=f"{stop.down} dimatikan; gapura mencobanya sampai tenggat pertukaran.",
            en=f"{stop.down} is switched off; the gateway tries it within the exchange's deadline.",
        )
    if stop.until_known:
        return Text(
            id=f"bertanya lagi sampai sumber itu diketahui pulih, paling lama {_RECOVERY_TIMEOUT_S} detik.",
            en=f"asking until the gateway has found the source to be back, {_RECOVERY_TIMEOUT_S} s at most.",
        )
    return None


def _asked(client: GatewayClient, stop: Stop, body: Mapping[str, Any]) -> httpx.Response:
    """The answer; where the stop says so, the first one in which no source is silent any more."""
    waited_until = time.monotonic() + _RECOVERY_TIMEOUT_S
    while True:
        answer = client.post(stop.path, body)
        if not (stop.until_known and _is_silent(answer.json())) or time.monotonic() > waited_until:
            return answer
        time.sleep(0.2)


def _is_silent(content: Mapping[str, Any]) -> bool:
    """Whether any field of any person waits for its source."""
    exceptions = (one for result in content["results"] for one in result.get("exceptions", {}).values())
    return any(one.get("state") in {"unknown", "last_known"} for one in exceptions)


def _without_repeats(content: dict[str, Any], number: int, told: dict[str, int]) -> dict[str, Any]:
    """The answer for a reader: a long part that an earlier answer showed is only pointed at."""
    shown: dict[str, Any] = {}
    for name, part in content.items():
        text = json.dumps([name, part], sort_keys=True)
        first = told.setdefault(text, number)
        long = len(text) > _LONG_PART_CHARS and name != "results"
        shown[name] = f"(as in answer {first})" if long and first != number else part
    return shown


def _with_learned(body: Mapping[str, Any], learned: Mapping[str, str]) -> dict[str, Any]:
    """Put pseudonyms that earlier answers gave where the tour says `{consumer:ref}`."""
    subjects = [
        {
            key: learned.get(value.strip("{}"), value) if key == "pseudonym" else value
            for key, value in s.items()
        }
        for s in body["subjects"]
    ]
    return {**body, "subjects": subjects}
