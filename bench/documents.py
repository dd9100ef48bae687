"""What is asked of the API in the measured operations."""

from typing import Any, Final

COUNTRY: Final = "NL"
PER_PAGE: Final = 24
PER_PRODUCT: Final = 24
"""Of variants: nearly all that there are, six of a product on average."""
ADDRESS: Final = {"lastName": "Baker", "address1": "Keizersgracht 1", "city": "Amsterdam", "country": COUNTRY}

PRICE: Final = "price { amount { amount currency } compareAt { amount } taxIncluded }"
OPTIONS: Final = "options { name values { name } }"

PAGE: Final = f"""query Page($first: Int!, $after: String) @inContext(country: {COUNTRY}) {{
  products(first: $first, after: $after) {{
    nodes {{
      id handle title {OPTIONS}
      variants(first: {PER_PRODUCT}) {{ nodes {{ id title sku selectedOptions {{ name value }} {PRICE} }} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
OTHER_PAGE: Final = f"""query Other($first: Int!) @inContext(country: {COUNTRY}) {{
  products(first: $first) {{
    edges {{ cursor node {{
      id title description vendor tags seo {{ title description }}
      media {{ id url alt }} categories {{ id handle name }} collections {{ title }}
      variants(first: {PER_PRODUCT}) {{
        nodes {{ id barcode weightGrams requiresShipping image {{ url }} availability {{ status quantity }} }}
        pageInfo {{ hasNextPage }}
      }}
    }} }}
  }}
}}"""
DETAIL: Final = f"""query Detail($handle: String!) @inContext(country: {COUNTRY}) {{
  product(by: {{ handle: $handle }}) {{
    id handle title description vendor tags {OPTIONS} media {{ url alt }}
    variants(first: 20) {{
      nodes {{ id title sku selectedOptions {{ name value }} {PRICE} availability {{ status quantity }} }}
    }}
  }}
}}"""
_FOUND: Final = f"""nodes {{
      id handle title media {{ url }} variants(first: 1) {{ nodes {{ id {PRICE} }} }}
    }} pageInfo {{ hasNextPage endCursor }}"""
SEARCH: Final = f"""query Search($query: String!, $first: Int!) @inContext(country: {COUNTRY}) {{
  search(query: $query, first: $first) {{ products {{ {_FOUND} }} }}
}}"""
FACETS: Final = f"""query Facets($query: String!, $first: Int!) @inContext(country: {COUNTRY}) {{
  search(query: $query, first: $first) {{
    products {{ {_FOUND} totalCount }} facetsCapped
    facets {{ kind name values {{ value label count selected }} minimum {{ formatted }} maximum {{ formatted }} }}
  }}
}}"""
CATEGORY: Final = f"""query Category($id: ID!, $first: Int!) @inContext(country: {COUNTRY}) {{
  products(first: $first, sort: PRICE_ASC, filter: {{ categories: [$id] }}) {{ {_FOUND} }}
}}"""

CART: Final = """cart {
  id version lines { id quantity title unitPrice { amount } total { gross { amount } } variant { title } }
  requirements { code } totals { total { gross { amount currency } } } }"""


def mutation(name: str, select: str) -> str:
    kind = name[0].upper() + name[1:]
    return f"""mutation {kind}($input: {kind}Input!) @inContext(country: {COUNTRY}) {{
      payload: {name}(input: $input) {{ {select} userErrors {{ code message path }} }} }}"""


CREATE: Final = mutation("cartCreate", f"token {CART}")
ADD: Final = mutation("cartAddLines", CART)
SET_CUSTOMER: Final = mutation("cartSetCustomer", CART)
SET_ADDRESSES: Final = mutation("cartSetAddresses", CART.removesuffix(" }") + " deliveryOptions { optionId } }")
SET_DELIVERY: Final = mutation("cartSetDelivery", CART)
COMPLETE: Final = mutation("cartComplete", "accessToken order { id number status total { gross { amount } } }")
POST_MESSAGE: Final = mutation("ticketPostMessage", "ticket { id }")
READ_CART: Final = (
    "query Cart($id: ID!, $token: String!) { " + CART.replace("{", "(id: $id, token: $token) {", 1) + " }"
)
TICKETS: Final = """query Tickets($id: ID!, $token: String!) {
  order(by: { id: $id }, accessToken: $token) { tickets { id } } }"""
WATCH: Final = """subscription Watch($id: ID!, $token: String) {
  ticketEvents(ticketId: $id, accessToken: $token) {
    __typename
    ... on TicketSnapshot { seq ticket { lastSeq state { code } } }
    ... on TicketChange { seq event { __typename seq ... on TicketMessagePosted { body } } }
  } }"""
WATCH_BOARD: Final = """subscription WatchBoard {
  ticketBoard {
    __typename
    ... on TicketBoardSnapshot { cursor board { columns { state { code } count tickets { id lastSeq } } } }
    ... on TicketBoardChange {
      cursor ticketId fits ticket { id lastSeq state { code } }
      event { __typename seq ... on TicketMessagePosted { body } }
    }
  } }"""
SKUS: Final = f"""query Skus($after: String) @inContext(country: {COUNTRY}) {{
  products(first: 100, after: $after) {{
    nodes {{ handle variants(first: 10) {{ nodes {{ id availability {{ quantity }} }} }} }}
    pageInfo {{ endCursor }}
  }} }}"""


def request(document: str, **variables: Any) -> dict[str, Any]:
    return {"query": document, "variables": variables}
