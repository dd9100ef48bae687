"""Public ids: TypeIDs, which say what they name, and open nothing else."""

import os
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from db.connection import new_id
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from resolvers import ids
from tests import given
from tests.api import Api

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
KINDS = sorted(ids.PREFIXES)
KEY = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SUFFIX = "01h455vb4pex5vsknk084sn02q"
"""The same as KEY: an example of the TypeID specification."""
QUERIES = {
    ("Product", "by.id"): "query ($id: ID!) { product(by: {id: $id}) { id } }",
    ("Cart", "id"): 'query ($id: ID!) { cart(id: $id, token: "t") { id } }',
    ("Order", "by.id"): "query ($id: ID!) { order(by: { id: $id }) { id } }",
    ("Ticket", "id"): "query ($id: ID!) { ticket(id: $id) { id } }",
}


def no_ids(prefix: str) -> list[str]:
    """What is no id of the kind, however close it comes."""
    good = f"{prefix}_{SUFFIX}"
    return [
        "",
        prefix,
        f"{prefix}_",
        SUFFIX,
        f"_{SUFFIX}",
        f"x{good}",
        f"{prefix}__{SUFFIX}",
        f"{prefix}-{SUFFIX}",
        f"{prefix.upper()}_{SUFFIX}",
        f"{prefix}_{SUFFIX.upper()}",
        f"{prefix}_{SUFFIX[:-1]}Q",
        good[:-1],
        f"{good}0",
        f"{good} ",
        f" {good}",
        f"{good}\n",
        f"{prefix}_{SUFFIX[:-1]}\N{NULL}",
        f"{prefix}_{SUFFIX[:-1]}u",
        f"{prefix}_{SUFFIX[:-1]}i",
        f"{prefix}_{SUFFIX[:-1]}l",
        f"{prefix}_{SUFFIX[:-1]}o",
        f"{prefix}_{SUFFIX[:-1]}é",
        f"{prefix}_{SUFFIX[:-1]}\N{FULLWIDTH DIGIT ONE}",
        f"{prefix}_8{SUFFIX[1:]}",
        f"{prefix}_{'z' * 26}",
        f"{prefix}_{SUFFIX * 1000}",
        f"{prefix}_{KEY}",
        str(KEY),
        "1",
        "' OR 1=1 --",
    ]


def test_an_id_is_written_as_the_specification_says() -> None:
    assert ids.encode("Product", KEY) == f"prod_{SUFFIX}"
    assert ids.decode("Product", f"prod_{SUFFIX}") == KEY
    for key, suffix in (
        (UUID(int=0), "0" * 26),
        (UUID(int=32), "0" * 24 + "10"),
        (UUID(int=2**128 - 1), "7" + "z" * 25),
    ):
        assert ids.encode("Ticket", key) == f"ticket_{suffix}"
        assert ids.decode("Ticket", f"ticket_{suffix}") == key


def test_no_two_kinds_share_a_prefix() -> None:
    assert len(set(ids.PREFIXES.values())) == len(ids.PREFIXES)


@given_any(st.sampled_from(KINDS), st.uuids())
def test_an_id_reads_back_as_the_key_it_was_made_of(kind: str, key: UUID) -> None:
    public = ids.encode(kind, key)
    assert ids.decode(kind, public) == key
    prefix, _, suffix = public.rpartition("_")
    assert (prefix, len(suffix)) == (ids.PREFIXES[kind], 26)
    assert set(suffix) <= set(ALPHABET)


@given_any(st.uuids(), st.integers(0, 25), st.characters() | st.sampled_from(ALPHABET + ALPHABET.upper() + "ilou_-"))
def test_a_mistyped_character_gives_another_id_or_none_but_never_the_same(key: UUID, at: int, typed: str) -> None:
    public = ids.encode("Order", key)
    mistyped = public[: len("order_") + at] + typed + public[len("order_") + at + 1 :]
    readable = typed in ALPHABET and mistyped[len("order_")] in "01234567"
    if readable:
        assert (ids.decode("Order", mistyped) == key) == (mistyped == public)
        assert ids.encode("Order", ids.decode("Order", mistyped)) == mistyped
    else:
        with pytest.raises(ValidationFailed):
            ids.decode("Order", mistyped)


@given_any(st.lists(st.uuids(), min_size=2, unique=True))
def test_ids_sort_as_their_keys_do(keys: list[UUID]) -> None:
    assert sorted(ids.encode("Order", key) for key in keys) == [ids.encode("Order", key) for key in sorted(keys)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_id_of_another_kind_or_of_none_is_refused(kind: str) -> None:
    others = [ids.encode(other, KEY) for other in KINDS if other != kind]
    for public in (*others, *no_ids(ids.PREFIXES[kind])):
        with pytest.raises(ValidationFailed) as refused:
            ids.decode(kind, public, "order", "id")
        assert refused.value.path == ("order", "id")


async def test_a_query_with_an_id_of_another_kind_or_of_none_is_refused_by_its_argument(api: Api) -> None:
    for (kind, argument), query in QUERIES.items():
        other = ids.encode("Customer", KEY)
        for public in (other, *no_ids(ids.PREFIXES[kind])):
            answer = await api.answer(query, {"id": public})
            (error,) = answer["errors"]
            found = (error["extensions"]["code"], error["extensions"]["argument"])
            assert found == ("BAD_USER_INPUT", argument), (kind, public)
            assert set(answer["data"].values()) == {None}


async def test_a_well_formed_id_of_nothing_is_null(api: Api) -> None:
    for (kind, _), query in QUERIES.items():
        assert set((await api(query, {"id": ids.encode(kind, new_id())})).values()) == {None}


async def test_an_id_must_be_given_and_be_text_or_a_whole_number(api: Api) -> None:
    given_ids: list[Any] = [None, 1.5, True, [], {}]
    for (_, argument), query in QUERIES.items():
        for public in given_ids:
            answer = await api.answer(query, {"id": public})
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], (argument, public)
        (error,) = (await api.answer(query, {"id": 5}))["errors"]
        assert error["extensions"]["argument"] == argument


async def test_a_write_with_an_id_of_another_kind_is_refused_where_it_stands_and_changes_nothing(
    shop: Shop, api: Api
) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    lines = [{"variantId": cup.variant}, {"variantId": cup.product}]
    for mutation, more, path in (
        ("cartAddLines", {"lines": lines}, ["lines", "1", "variantId"]),
        ("cartAddLines", {"cartId": cup.variant, "lines": [{"variantId": cup.variant}]}, ["cartId"]),
        ("cartUpdateLines", {"lines": [{"lineId": cup.variant, "quantity": 0}]}, ["lines", "0", "lineId"]),
        ("cartRemoveLines", {"lineIds": [cart.id]}, ["lineIds", "0"]),
    ):
        payload = await api.do(mutation, {**cart.key, **more}, "cart { id }")
        assert payload["cart"] is None
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == ("VALIDATION_FAILED", path)
    query = "query ($id: ID!, $token: String!) { cart(id: $id, token: $token) { version lines { quantity } } }"
    read = await api(query, {"id": cart.id, "token": cart.token})
    assert read == {"cart": {"version": 3, "lines": [{"quantity": 2}]}}


def test_processes_that_were_forked_from_one_make_ids_of_their_own() -> None:
    new_id()
    made = [set(forked_ids(1000)) for _ in range(3)]
    random_parts = [id_[14:] for ids_ in made for id_ in ids_]
    assert len(set(random_parts)) == 3000, "their times may be the same, what is random of them is not"


def forked_ids(count: int) -> list[str]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, " ".join(str(new_id()) for _ in range(count)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        return told.read().split()
