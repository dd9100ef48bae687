"""Texts are shown in the locale that is asked for, else in one that it falls back to, else as they were written."""

import pytest
from sqlalchemy import select, update

from db import Product
from domain.processes.shop import Shop
from domain.product import ProductDraft
from domain.refusal import Refusal, refusals_of
from domain.translation import checked, fallbacks, text, translated
from tests import given

FIELDS = {"title": 10, "subtitle": 20}
WRITTEN = {
    "de": {"title": "Becher", "subtitle": "Aus Papier"},
    "de-AT": {"title": "Häferl"},
    "zh-Hant": {"title": "杯"},
}
SHOWN = [
    (None, "Paper Cup", None),
    ("en-US", "Paper Cup", None),
    ("de", "Becher", "Aus Papier"),
    ("de-AT", "Häferl", "Aus Papier"),
    ("DE_at", "Häferl", "Aus Papier"),
    ("de-CH-1996", "Becher", "Aus Papier"),
    ("zh-Hant-TW", "杯", None),
    ("zh", "Paper Cup", None),
    ("d", "Paper Cup", None),
    ("de'; DROP TABLE product; --", "Paper Cup", None),
    ("de" + "-xxxx" * 50, "Paper Cup", None),
]


async def test_a_text_falls_back_along_its_locale_in_sql_and_in_python(shop: Shop) -> None:
    await given.products(shop, ProductDraft(handle="paper-cup", title="Paper Cup"))
    async with shop.tx() as tx:
        await tx.run(update(Product).values(translations=WRITTEN))
    both = select(translated(Product, "title"), translated(Product, "subtitle"), Product.handle)
    (row,) = await shop.read.all(select(Product))
    for locale, title, subtitle in SHOWN:
        locales = fallbacks(locale)
        (shown,) = await shop.read.records(both.where(Product.title == "Paper Cup"), locales=locales)
        assert (shown.title, shown.subtitle) == (title, subtitle), locale
        assert (text(row, locales, "title"), text(row, locales, "subtitle")) == (title, subtitle), locale


def test_translations_are_kept_by_locale_without_what_is_empty() -> None:
    given_ = {"de_at": {"title": " Häferl ", "subtitle": ""}, "fr": {"title": "  "}, "pt-BR": {"subtitle": "De papel"}}
    assert checked(given_, FIELDS) == {"de-AT": {"title": "Häferl"}, "pt-BR": {"subtitle": "De papel"}}


@pytest.mark.parametrize(
    ("given_", "path"),
    [
        ({"nowhere": {}}, ("nowhere",)),
        ({"": {}}, ("",)),
        ({"xx": {"title": "x"}}, ("xx",)),
        ({"de-1996-x": {}}, ("de-1996-x",)),
        ({"de": {"handle": "becher"}}, ("de", "handle")),
        ({"de": {"title": "x" * 11}}, ("de", "title")),
        ({"de": {"title": 5}}, ("de", "title")),
        ({"de": {"title": "a\nb"}}, ("de", "title")),
        ({"de": {}, "DE": {"title": "x"}}, ("DE",)),
    ],
)
def test_what_is_no_translation_is_refused_by_its_place(given_: dict[str, dict[str, str]], path: tuple[str]) -> None:
    with pytest.raises((Refusal, ExceptionGroup)) as refused:
        checked(given_, FIELDS)
    assert [refusal.path for refusal in refusals_of(refused.value)] == [path]


async def test_the_database_refuses_translations_that_are_no_object(shop: Shop) -> None:
    await given.products(shop, ProductDraft(handle="cup", title="Cup"))
    with pytest.raises(Exception, match="ck_product_translations"):
        async with shop.tx() as tx:
            await tx.run(update(Product).values(translations=[]))
