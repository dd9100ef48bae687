"""Asking a provider of taxes about a cart. While it gives no answer, the rates that are stored here count."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.delivery import QuoteKind
from domain.assessment import Assessment
from domain.cart_tax import asked
from domain.destination import Destination
from domain.market import Sought, markets
from domain.processes.quotes import Question, Said, answer, ask_all
from domain.processes.shop import Shop
from domain.tax import LOCAL
from domain.tax_provider import TaxItem, TaxProvider, TaxRequest, answer_of, checked
from domain.totals import LineTotal, taxed


async def quote(shop: Shop, assessment: Assessment) -> None:
    """Asks about the cart as it was assessed, and keeps the answer if it can be right."""
    request = assessment.tax.request
    if request is not None:
        await ask_all(shop, assessment.cart.id, [question(shop, assessment.region.tax_provider, request)])


def question(shop: Shop, name: str, request: TaxRequest) -> Question:
    provider: TaxProvider | None = shop.taxes.get(name)

    async def ask(provider: TaxProvider) -> Said:
        return checked(request, await provider.quote(request))

    return Question(QuoteKind.TAX, name, request.hash, None if provider is None else lambda: ask(provider))


@dataclass(frozen=True)
class Previewed:
    """What an amount comes to; `provider` is who counted."""

    total: LineTotal
    provider: str
    is_fallback: bool
    is_outside: bool


async def preview(shop: Shop, region_id: UUID, address: Mapping[str, Any], code: str | None, amount: int) -> Previewed:
    """How something would be taxed that costs so much in a region, as it shows prices, and goes to this address."""
    place = Sought(region_id, Destination.of(address))
    market = (await markets(shop.read, [place]))[place]
    levy, provider = market.levy, market.region.tax_provider
    is_outside = address["country"] not in market.countries
    local = levy.line(amount, 1, code)
    item = TaxItem("preview", levy.base(amount, 1, code), code or levy.taxes.default)
    request = asked(market.region.currency, address, levy, [item], [])
    if not market.asks_taxes or request is None:
        return Previewed(local, LOCAL, False, is_outside)
    said = await answer(shop, question(shop, provider, request))
    if said is None:
        return Previewed(local, LOCAL, True, is_outside)
    told = taxed(item.amount, answer_of(said)[item.key], inclusive=levy.included)
    return Previewed(told, provider, False, is_outside)
