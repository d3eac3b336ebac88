"""`GET /admin/v1/dictionary`: every field that the gateway knows, as people read it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.agreements.matrix import groups_of
from gateway.agreements.reading import DICTIONARY_NAME
from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, problems
from gateway.api.exchanges import BothLanguages
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff


class DictionaryField(BaseModel):
    """One field, and the most that any agreement may release of it."""

    field: str
    label: BothLanguages
    type: str
    unit: str | None
    words: list[str] = Field(description="What it may say, of a closed list; else empty.")
    sensitivity: str
    source: str
    ceiling: str


class DictionaryGroup(BaseModel):
    """Fields under one heading of the dictionary's text."""

    name: str = Field(examples=["Identity"])
    fields: list[DictionaryField]


class DictionaryOut(BaseModel):
    """The dictionary in force."""

    version: int
    groups: list[DictionaryGroup]


def add_dictionary_route(router: APIRouter, store: PolicyStore, check: StaffCheck) -> None:
    """Add the route by which the dictionary is read. It blocks, so FastAPI runs it in a thread."""

    @router.get("/admin/v1/dictionary", responses=problems(401, 403), openapi_extra=STAFF_ONLY)
    def get_dictionary(_staff: Annotated[Staff, Depends(check.requiring(*ROLES))]) -> DictionaryOut:
        """The dictionary in force, in the order and under the headings of its text."""
        version = store.get("dictionary", DICTIONARY_NAME)
        heading = groups_of(version.text)
        groups: dict[str, list[DictionaryField]] = {}
        for name, field in store.book_of().dictionary.items():
            groups.setdefault(heading.get(name, ""), []).append(
                DictionaryField(
                    field=name,
                    label=BothLanguages(id=field.label.id, en=field.label.en),
                    type=field.type,
                    unit=field.unit,
                    words=list(field.words),
                    sensitivity=field.sensitivity,
                    source=field.source,
                    ceiling=field.ceiling.name.lower(),
                )
            )
        return DictionaryOut(
            version=version.version,
            groups=[DictionaryGroup(name=name, fields=fields) for name, fields in groups.items()],
        )
