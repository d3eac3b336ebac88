"""The anchor that reads: FastAPI and asyncpg, one person by NIK, no duty at all.

The pool's RESET after every use is left out, which is the fastest that asyncpg can do here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

_PERSON = "SELECT nik, full_name, birth_date, sex, region_code, registry_status FROM people WHERE nik = $1"


class Person(BaseModel):
    nik: str
    full_name: str
    birth_date: date | None
    sex: str | None
    region_code: str | None
    registry_status: str


async def _keep_as_it_is(_connection: Any) -> None:
    """Nothing was set in the session that would have to be undone."""


@asynccontextmanager
async def _connected(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["BENCH_DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=8, max_size=8, reset=_keep_as_it_is) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_connected)


@app.get("/people/{nik}")
async def person(nik: str) -> Person:
    row = await app.state.pool.fetchrow(_PERSON, nik)
    if row is None:
        raise HTTPException(404)
    return Person(**row)
