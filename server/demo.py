"""The demo shop: prepared once, and what a newcomer is told about it."""

import json
from typing import Final
from urllib.parse import quote

from rich.console import Console

from db.connection import connect
from domain.durable import by_event
from domain.processes.load_demo import load_demo
from domain.reactions import REACTIONS
from server.app import make_shop
from server.settings import ROOT, Settings
from server.tokens import Argon2Passwords

FOLDER: Final = ROOT / "demo"
QUERIES: Final = {
    "Browse, with prices for Germany": """query Browse @inContext(country: DE) {
  products(first: 5) {
    nodes {
      handle
      title
      variants(first: 3) { nodes { title sku price { amount { formatted } compareAt { formatted } } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}""",
    "One product, priced in Japan": """query Product @inContext(country: JP) {
  product(by: {handle: "pizza-box"}) {
    title briefSchema
    options { name values { name } }
    variants(first: 5) {
      nodes { id title price { amount { formatted(locale: "ja-JP") } taxIncluded } availability { status } }
    }
  }
}""",
    "The board (sign in as staff first)": """query Board {
  tickets(first: 20) {
    nodes { id quantity state { name kind } nextStates { code name } line { title } history { seq at } }
  }
}""",
}


async def prepare(url: str, settings: Settings) -> None:
    """Loads the demo unless it is there."""
    database = await connect(url, reactions=by_event(REACTIONS), max_size=4)
    try:
        await load_demo(make_shop(database, settings), FOLDER, Argon2Passwords.hash)
    finally:
        await database.close()


def tell(console: Console, origin: str) -> None:
    people = json.loads((FOLDER / "shop.json").read_bytes())
    console.print(f"\n[bold]Counterfoil's demo shop[/] is at [bold]{origin}/graphql[/]\n")
    for title, query in QUERIES.items():
        console.print(f"  {title}\n    {origin}/graphql?q={quote(query)}\n")
    for role, mutation in (("customer", "customerSignIn"), ("staff", "staffSignIn")):
        person = people[role]
        console.print(f"  Sign in ({role}): {person['email']} / {person['password']} by {mutation}")
    console.print("  Staff work on tickets there; who is to do the rest too is made an administrator by")
    console.print("    .venv/bin/counterfoil staff create you@example.com")
    console.print("\n  make journey   walks a whole order through it, in another terminal")
    console.print("  Ctrl-C         stops everything; the data stays\n")
