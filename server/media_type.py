"""The media types of answers over HTTP, and which of them a request asks for.

Rules: GraphQL over HTTP, https://graphql.github.io/graphql-over-http/draft/#sec-Media-Types. With the newer type the
status says that a document was not run, for a client then knows that this status is not that of a proxy in between.
"""

from typing import Final

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
_NAMED: Final = f"{GRAPHQL_RESPONSE}; charset=utf-8"


def media_type(accept: str) -> str:
    """The newer one for whoever names it and likes JSON no better."""
    liked = dict(map(_range, accept.lower().split(",")))
    newer = liked.get(GRAPHQL_RESPONSE, 0)
    return _NAMED if newer and newer >= liked.get(JSON, 0) else JSON


def _range(written: str) -> tuple[str, float]:
    """A media range, and how much it is liked: from 0, not at all, to 1."""
    name, *parameters = (part.strip() for part in written.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0
    return name, 1
