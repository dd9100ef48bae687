"""Completing a cart: one order, with its stock, whatever else happens at the same time."""

from domain.processes.shop import Shop
from tests import given
from tests.api import Api


async def test_a_completed_cart_is_one_placed_order_with_what_the_cart_showed(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices={"EUR": 1250})
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 3})
    assert cart.total == {"amount": "37.50", "currency": "EUR"}
    payload = await api.done(
        "cartComplete",
        cart.completion(),
        """accessToken cart { status email order { number accessToken } }
           order { number status paymentStatus workStatus email subtotal { amount } amountDue { amount }
                   total { net { amount } tax { amount } gross { amount } } taxes { name rate amount { amount } }
                   shippingAddress { city country }
                   lines { title sku quantity options { name value } unitPrice { amount } total { gross { amount } } } }""",
    )
    assert payload["order"] == {
        "number": "1001",
        "status": "PLACED",
        "paymentStatus": "AUTHORISED",
        "workStatus": "NONE",
        "email": "sam@shop.example",
        "subtotal": {"amount": "37.50"},
        "amountDue": {"amount": "37.50"},
        "total": {"net": {"amount": "30.99"}, "tax": {"amount": "6.51"}, "gross": {"amount": "37.50"}},
        "taxes": [{"name": "VAT", "rate": "0.210000", "amount": {"amount": "6.51"}}],
        "shippingAddress": {"city": "Amsterdam", "country": "NL"},
        "lines": [
            {
                "title": "Paper Cup",
                "sku": "PAPER-CUP-1",
                "quantity": 3,
                "options": [{"name": "Title", "value": "Default Title"}],
                "unitPrice": {"amount": "12.50"},
                "total": {"gross": {"amount": "37.50"}},
            }
        ],
    }
    assert payload["cart"] == {
        "status": "COMPLETED",
        "email": None,
        "order": {"number": "1001", "accessToken": payload["accessToken"]},
    }
