"""The rules of the house, held: budgets, names, contracts, and that what is said twice agrees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType
from strawberry import field as strawberry_field

from db import Cart
from schema import build_schema
from schema.build import column, query, view
from server.sdl import printed
from tests.api import ROOT

PACKAGES = ("schema", "resolvers", "domain", "db", "engine", "server", "counterfoil", "plugins")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LONG_FUNCTIONS = 0.05


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_functions_are_short_enough_to_be_read() -> None:
    lengths = {f"{name(path)}:{f.lineno}": length(f) for path in MODULES for f in functions(path)}
    assert {where: lines for where, lines in lengths.items() if lines > 60} == {}
    long = {where: lines for where, lines in lengths.items() if lines > 35}
    assert len(long) <= len(lengths) * MOST_LONG_FUNCTIONS, long


def test_modules_are_short_enough_to_be_read() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in (*MODULES, *TESTS)}
    assert {where: count for where, count in lines.items() if count > 400} == {}


def test_functions_have_few_positional_parameters() -> None:
    many = [
        f"{name(path)}:{f.lineno}"
        for path in MODULES
        for f in functions(path)
        if len([a for a in (*f.args.posonlyargs, *f.args.args) if a.arg not in {"self", "cls"}]) > 6
    ]
    assert many == []


def test_imports_stand_at_the_top() -> None:
    inside = [
        f"{name(path)}:{node.lineno}"
        for path in (*MODULES, *TESTS)
        for f in functions(path)
        for node in ast.walk(f)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


def test_modules_are_called_by_what_they_are_about() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "service", "services", "manager", "managers", "misc"}
    assert [name(path) for path in MODULES if path.stem in vague] == []


def test_layers_and_chapters_are_imported_in_their_order() -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def test_graphql_and_http_are_known_at_the_edge_alone() -> None:
    edge = {"schema", "resolvers", "engine", "server", "plugins"}
    inside = [path for path in MODULES if path.relative_to(ROOT).parts[0] not in edge]
    assert [name(path) for path in inside if imported(path) & {"strawberry", "graphql", "starlette", "httpx"}] == []


def test_dbos_is_known_to_the_worker_alone() -> None:
    assert {name(path) for path in MODULES if "dbos" in imported(path)} <= {"server/worker.py", "server/takeover.py"}


def test_the_rules_read_neither_clock_nor_environment() -> None:
    told = {"now", "utcnow", "today", "time", "monotonic", "environ", "getenv"}
    read = [
        f"{name(path)}:{node.lineno} {node.attr}"
        for path in MODULES
        if path.is_relative_to(ROOT / "domain")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in told
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date", "time", "os"}
    ]
    assert read == []


def test_nothing_is_added_to_across_an_await() -> None:
    """`total += await f()` reads `total`, waits, and writes: parallel updates are lost."""
    lost = [
        f"{name(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AugAssign) and any(isinstance(part, ast.Await) for part in ast.walk(node.value))
    ]
    assert lost == []


def test_no_statement_is_pasted_together() -> None:
    """SQL is written as a constant or built by SQLAlchemy; values are parameters."""
    functions, methods = {"text", "literal_column"}, {"execute", "fetch", "fetchval", "fetchrow"}
    pasted = [
        f"{name(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") in functions or getattr(node.func, "attr", "") in methods)
        and any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in node.args)
    ]
    assert pasted == []


def test_no_installed_package_has_one_of_our_names() -> None:
    ours = {"counterfoil"}
    owners = packages_distributions()
    assert {
        package: set(owners.get(package, [])) - ours for package in PACKAGES if set(owners.get(package, [])) - ours
    } == {}


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    assert "--index-url" not in lock


@pytest.mark.parametrize(("file", "storefront"), [("schema.graphql", False), ("storefront.graphql", True)])
def test_the_printed_schema_says_what_the_code_does(file: str, storefront: bool) -> None:
    committed = (ROOT / "schema" / file).read_text()
    assert committed == printed(storefront=storefront) + "\n", "run `make schema` and look at the difference"


def test_everything_in_the_schema_is_described() -> None:
    types = build_schema()._schema.type_map
    silent: list[str] = []
    for type_name, type_ in types.items():
        if type_name.startswith("__"):
            continue
        silent += [] if type_.description else [type_name]
        if isinstance(type_, GraphQLEnumType):
            silent += [f"{type_name}.{value}" for value, v in type_.values.items() if not v.description]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in type_.fields.items():
                silent += [] if field.description else [f"{type_name}.{field_name}"]
                for argument_name, argument in getattr(field, "args", {}).items():
                    silent += [] if argument.description else [f"{type_name}.{field_name}({argument_name})"]
    assert silent == []


def test_a_root_field_that_does_not_say_what_it_needs_fails_the_build() -> None:
    @view()
    class Query:
        """Reads."""

        forgotten: int = strawberry_field(resolver=lambda: 1, description="Something.")

    with pytest.raises(TypeError, match=r"Query\.forgotten must declare what it needs"):
        build_schema(Query, None, None)
    with pytest.raises(TypeError, match="must declare what it needs"):
        query(lambda ctx: ctx, "", "Something.")


def test_a_view_that_does_not_agree_with_its_row_fails_the_build() -> None:
    @view(Cart)
    class Wrong:
        """Has a field that the row has not."""

        colour: str = column("No cart has one.")

    @view(Cart)
    class Careless:
        """Has a field that may be null in the row."""

        email: str = column("A cart may have none.")

    for type_, message in ((Wrong, "the table cart has no column colour"), (Careless, "must be nullable")):

        @view()
        class Query:
            """Reads."""

            it: type_ = query(lambda ctx: ctx, "public", "It.")

        with pytest.raises(TypeError, match=message):
            build_schema(Query, None, None)
