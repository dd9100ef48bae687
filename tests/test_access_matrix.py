"""Who gets what of every field: tried for real, and compared with what was reviewed (`access_matrix.csv`).

After a change of the schema: `make access-matrix`, look at each line that differs, and commit it with the change.
Columns are who asks; the subjects are Sam's, or the shop's own. "staff with" lists the permissions that get something
else than "staff without", each tried alone; staff and keys "without" have every permission but the one that is needed.

For reads `value` is data of Sam or of the shop, `own` is the caller's own, `-`: there was nothing to ask it of. Of a
mutation `changes it` means that Sam's or the shop's things were changed, `does it` that they were not.
"""

import csv
import os
from difflib import unified_diff
from types import SimpleNamespace
from typing import Any, cast

import pytest

from domain.permission import PERMISSIONS
from resolvers.context import PUBLIC
from tests.api import ROOT
from tests.matrix import needed, root_fields
from tests.matrix_rows import as_text, every_field, example_of, matrix, queries_of, with_each
from tests.matrix_world import ALL, MatrixWorld, halved
from tests.snapshot import Snapshot

REVIEWED = ROOT / "tests" / "access_matrix.csv"
NEVER_SHOWN = {
    "CartCompletePayload.nextAction",  # instead of the order, where the payment has to be confirmed first
    "CartMergePayload.token",  # of a cart that is nobody's, to somebody who has no other
    "CustomerSignInPayload.cartToken",  # likewise
    "OrderPayPayload.nextAction",
    "Requirement.lineId",
    "VariantStaffDetails.archivedAt",  # of an archived variant, which only `variantArchive` and `variantRestore` show
}
"""Fields that nobody is shown a value of in the world of the matrix: an example is of one outcome."""
SAMS = {
    "BalanceEntry",
    "BalancePayment",
    "Cart",
    "CartDelivery",
    "CartGiftCard",
    "CartLine",
    "CartStoreCredit",
    "CartTotals",
    "Customer",
    "CustomerAddress",
    "File",
    "Fulfilment",
    "FulfilmentLine",
    "GiftCard",
    "Order",
    "OrderDelivery",
    "OrderLine",
    "Payment",
    "PaymentAttempt",
    "PaymentEvent",
    "PaymentOperation",
    "PaymentSession",
    "Refund",
    "Requirement",
    "Session",
    "StoreCredit",
    "Upload",
    "UploadHeader",
}
"""Types of which everything is somebody's; so is all that is about tickets."""


def reviewed() -> list[dict[str, str]]:
    with REVIEWED.open(newline="") as file:
        return list(csv.DictReader(file))


async def test_everybody_gets_of_every_field_what_was_reviewed(there: MatrixWorld, snapshot: Snapshot) -> None:
    now = as_text(await matrix(there, snapshot))
    if os.environ.get("ACCESS_MATRIX") == "write":
        REVIEWED.write_text(now)
    before = REVIEWED.read_text()
    different = [*unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=0)]
    assert now == before, "\n".join(
        ["access is not as it was reviewed: run `make access-matrix` and look at each line that differs", *different]
    )


@pytest.mark.parametrize(
    "showing", [(), ("tax:read",), ("api_keys:read", "stock:write", "tax:write"), tuple(PERMISSIONS)]
)
async def test_which_permissions_show_something_is_found_by_halves(showing: tuple[str, ...]) -> None:
    together = {group: group for group in [*halved(ALL), *((one,) for one in ALL)]}
    asked = list[tuple[str, ...]]()

    async def of(group: tuple[str, ...]) -> dict[str, str]:
        asked.append(group)
        return {"Field": "value" if {*group} & {*showing} else "null"}

    found = await with_each(cast(Any, SimpleNamespace(together=together)), PUBLIC, cast(Any, of), {"Field": "null"})
    assert found == {one: {"Field": "value" if one in showing else "null"} for one in PERMISSIONS}
    assert len(asked) <= min(1 + 12 * len(showing), 2 * len(PERMISSIONS))


def test_every_field_was_reviewed() -> None:
    """Quickly told, without trying: a new field has no line yet, or says nothing of how it is to be tried."""
    for name in root_fields("Query"):
        assert queries_of(name)
    for kind in ("Mutation", "Subscription"):
        for name in root_fields(kind):
            assert example_of(kind, name)
    roots = {f"{kind}.{name}" for kind in ("Query", "Mutation", "Subscription") for name in root_fields(kind)}
    lines = {line["field"].partition(" ")[0] for line in reviewed()}
    assert roots | every_field() <= lines, "run `make access-matrix` and look at each line that is new"


def test_each_field_was_shown_to_somebody() -> None:
    """Or its line would say nothing: the world of the matrix (matrix_world.py) must have all that can be shown."""
    shown = ("value", "changes it", "does it")
    cells = {line.pop("field"): str([*line.values()]) for line in reviewed()}
    assert {field for field, told in cells.items() if not any(word in told for word in shown)} == NEVER_SHOWN


def test_what_needs_a_permission_is_refused_to_all_who_lack_it() -> None:
    """A rule over the reviewed file itself, so that no review can wave through what must not be."""
    strangers = ("anonymous", "sam, whose it is", "kim", "sam's tokens", "sam's live token", "staff without")
    for line in reviewed():
        if ":" in line["needs"] and not line["needs"].startswith("signed_in"):
            refused = {line[who] for who in (*strangers, "key without")}
            assert refused == {"UNAUTHENTICATED", "FORBIDDEN"}, line
            assert line["needs"] in line["staff with"], line


def test_nothing_of_sams_is_shown_to_kim_or_to_nobody() -> None:
    """What they see is their own, or the shop window."""
    for line in reviewed():
        kind, _, _ = line["field"].partition(".")
        if kind in SAMS or kind.startswith("Ticket"):
            assert line["anonymous"] == "-", line
            assert line["kim"] in {"-", "own", "null", "empty"}, line
            assert line["staff without"] in {"-", "own"}, line


def test_public_fields_are_those_that_are_listed_as_such() -> None:
    """Whoever makes a field public changes this file's lines, and is seen to do so."""
    public = {
        f"{kind}.{name}"
        for kind in ("Query", "Mutation", "Subscription")
        for name, field in root_fields(kind).items()
        if needed(field) == PUBLIC
    }
    assert public == {line["field"].partition(" ")[0] for line in reviewed() if line["needs"] == PUBLIC}
