"""How secrets are compared: in constant time, or in the database by their hashes."""

import ast
import re
from collections.abc import Iterator

from tests.api import ROOT

PACKAGES = ("db", "domain", "engine", "resolvers", "schema", "server", "plugins", "counterfoil")
SECRET = re.compile(r"(secret|signature|hmac|mac|digest|token|password|hash)(es|s)?(_of)?$", re.IGNORECASE)
REVIEWED = {
    "row['hash'] == fitting",  # of what a quote depends on
    "kept['hash'] != request.hash",  # of what taxes depend on
    "hash_in(name) != hash_of(query)",  # of documents, which whoever sends them knows
    "named != hash_of(text)",  # likewise
    "secret == DEVELOPMENT_SECRET",  # at the start, of a setting with a public value
}


def name_of(node: ast.expr) -> str:
    """What is compared: the last word of `order.access_token`, `token_of(order)`, `headers["signature"]`."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else name_of(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_column(node: ast.expr) -> bool:
    """`Customer.password_hash`: compared in the database."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id[0].isupper()


def compared(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(SECRET.search(name_of(side)) for side in sides) and not any(is_column(side) for side in sides):
            yield ast.unparse(node)


def test_no_secret_is_compared_byte_by_byte() -> None:
    """Fault 23: `==` stops at the first byte that differs, and its time tells where that was."""
    found = {
        one for package in PACKAGES for path in (ROOT / package).rglob("*.py") for one in compared(path.read_text())
    }
    assert found == REVIEWED


def test_the_scan_sees_what_it_looks_for() -> None:
    for wrong in ("given == order.token", "headers['signature'] != made", "hmac_of(body) == x", "a.password_hash == b"):
        assert list(compared(wrong)) == [wrong]
    for right in ("hmac.compare_digest(a.token, b)", "Customer.password_hash == known", "status == 200"):
        assert list(compared(right)) == []
