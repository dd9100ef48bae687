"""GraphiQL at `/graphql` for browsers: Strawberry's page, with subscriptions over SSE instead of WebSockets."""

import re
from pathlib import Path
from typing import Final

from strawberry.http.ides import get_graphql_ide_html

FETCHER: Final = re.compile(r"^ *const fetcher = GraphiQL\.createFetcher\(\{.*?\}\);\n", re.DOTALL | re.MULTILINE)


def graphiql_page() -> str:
    script = Path(__file__).with_suffix(".js").read_text()
    page, replaced = FETCHER.subn(lambda _: script, get_graphql_ide_html("graphiql"))
    if replaced != 1:
        raise RuntimeError("Strawberry's GraphiQL page has changed; say anew where its fetcher is made")
    return page.replace("Strawberry GraphiQL", "Counterfoil GraphiQL")
