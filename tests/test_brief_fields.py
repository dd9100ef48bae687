"""The fields of a form for a brief, for clients that read no JSON Schema."""

from typing import Any

import pytest

from domain.brief import check_schema
from domain.brief_field import fields_of
from domain.processes.shop import Shop
from tests import given
from tests.api import Api

FIELD = "name kind label required description choices minimum maximum minLength maxLength pattern default"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["text", "size"],
    "properties": {
        "text": {"type": "string", "title": "Your text", "description": "As it is printed.", "minLength": 1,
                 "maxLength": 40.0, "pattern": "^[A-Z]"},
        "size": {"enum": ["S", "M"], "default": "M"},
        "sides": {"type": "array", "items": {"enum": ["front", "back"]}, "uniqueItems": True},
        "colours": {"type": "integer", "minimum": 1, "maximum": 4},
        "until": {"type": ["string", "null"], "format": "date", "propertyOrder": 7},
        "place": {"type": "object", "propertyOrder": 3.5},
    },
}  # fmt: skip
EMPTY = {"required": False, "description": None, "choices": [], "minimum": None, "maximum": None,
         "minLength": None, "maxLength": None, "pattern": None, "default": None}  # fmt: skip
FIELDS = [
    {**EMPTY, "name": "place", "kind": "OTHER", "label": "place"},
    {**EMPTY, "name": "until", "kind": "DATE", "label": "until"},
    {**EMPTY, "name": "text", "kind": "TEXT", "label": "Your text", "required": True,
     "description": "As it is printed.", "minLength": 1, "maxLength": 40, "pattern": "^[A-Z]"},
    {**EMPTY, "name": "size", "kind": "CHOICE", "label": "size", "required": True, "choices": ["S", "M"],
     "default": "M"},
    {**EMPTY, "name": "colours", "kind": "INTEGER", "label": "colours", "minimum": 1.0, "maximum": 4.0},
    {**EMPTY, "name": "sides", "kind": "CHOICES", "label": "sides", "choices": ["front", "back"]},
]  # fmt: skip


async def test_a_product_and_its_ticket_tell_the_fields_of_the_form(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    ticket = await given.ticket(shop, api, "banner", brief_schema=SCHEMA)
    await given.product(shop, "lid")
    found = await api(f"{{ products {{ nodes {{ handle briefFields {{ {FIELD} }} }} }} }}")
    assert {one["handle"]: one["briefFields"] for one in found["products"]["nodes"]} == {"banner": FIELDS, "lid": []}
    document = (
        f"query ($id: ID!, $token: String) {{ ticket(id: $id, accessToken: $token) {{ briefFields {{ {FIELD} }} }} }}"
    )
    shown = await api(document, {"id": ticket.id, "token": ticket.access_token})
    assert shown["ticket"]["briefFields"] == FIELDS


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (True, "other"),
        ({}, "other"),
        ({"enum": [1, "a"]}, "other"),
        ({"enum": []}, "other"),
        ({"const": "a"}, "other"),
        ({"type": ["string", "integer"]}, "other"),
        ({"type": []}, "other"),
        ({"type": "array", "items": {"enum": ["a"]}}, "other"),
        ({"type": "array", "items": True, "uniqueItems": True}, "other"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "string", "format": "nothing known"}, "text"),
        ({"type": "boolean", "minLength": 10**12}, "boolean"),
    ],
)
def test_whatever_a_schema_may_say_makes_a_field(part: Any, kind: str) -> None:
    schema = {"type": "object", "properties": {"it": part}}
    if [] not in (part.values() if isinstance(part, dict) else ()):  # which are no schemas
        check_schema(schema)
    (field,) = fields_of(schema)
    assert (field.name, field.kind, field.label) == ("it", kind, "it")
