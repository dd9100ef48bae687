"""The printed contract: all of it, or what a storefront needs."""

from typing import Any, Final, cast

import strawberry

from resolvers.context import PUBLIC, SIGNED_IN, SIGNED_IN_CUSTOMER
from schema import build_schema
from schema.build import NEEDS
from schema.roots import Mutation, Query, Subscription

FOR_CUSTOMERS: Final = {PUBLIC, SIGNED_IN, SIGNED_IN_CUSTOMER}


def printed(*, storefront: bool = False) -> str:
    """SDL with descriptions. The storefront's part has the root fields that need no permission of staff."""
    roots = [_public_part(root) if storefront else root for root in (Query, Mutation, Subscription)]
    return build_schema(*roots).as_str()


def _public_part(root: type) -> type:
    declared = cast("list[Any]", cast(Any, root).__strawberry_definition__.fields)
    fields = {field.python_name: field for field in declared if field.metadata[NEEDS] in FOR_CUSTOMERS}
    known = {name: of for base in reversed(root.__mro__) for name, of in vars(base).get("__annotations__", {}).items()}
    annotations = {name: known[name] for name in fields}
    part = type(root.__name__, (), {"__annotations__": annotations, "__module__": root.__module__, **fields})
    return strawberry.type(part, description=root.__doc__)
