"""The command line: `counterfoil --help`."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from db import TrustedDocument
from db.connection import connect
from db.workflow import ActorKind
from domain import document, session
from domain.customer import check_password, customer_credentials
from domain.durable import by_event
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.mail_token import PATHS
from domain.processes.seed_catalogue import SeedCatalogue, seed_catalogue
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from domain.refusal import Refusal, refusals_of
from domain.role import ADMINISTRATOR
from domain.session import Device
from domain.staff import WayIn, create_staff, let_in, staff_credentials
from schema import build_schema
from server import demo as demo_
from server.app import make_shop, signed_tokens
from server.embedded import EmbeddedPostgresError
from server.manifest import Problem, read_manifests
from server.migrate import migrate as migrate_database
from server.reconcile import reconcile
from server.sdl import printed
from server.serve import ServeOptions, database_of, end_on_sigterm, web, work
from server.serve import serve as serve_
from server.settings import Settings, WrongSetting, read_settings
from server.test_provider import run_test_provider
from server.tokens import Argon2Passwords, SignedTokens

T = TypeVar("T")
app = typer.Typer(help="Counterfoil: commerce whose orders split into live tickets.", no_args_is_help=True)
imports = typer.Typer(help="Bring a catalogue in.", no_args_is_help=True)
staff = typer.Typer(help="Those who work in the shop.", no_args_is_help=True)
documents = typer.Typer(help="Trusted documents: what clients may ask by an id.", no_args_is_help=True)
schema = typer.Typer(help="The GraphQL contract.", no_args_is_help=True)
stock = typer.Typer(help="What lies on the shelves.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(staff, name="staff")
app.add_typer(documents, name="documents")
app.add_typer(schema, name="schema")
app.add_typer(stock, name="stock")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Runs a command; what the user can mend is told in one sentence and ends with status 2."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    end_on_sigterm()
    try:
        app()
    except (WrongSetting, EmbeddedPostgresError) as error:
        err.print(str(error), style="red")
        sys.exit(2)
    except (Refusal, ExceptionGroup) as error:
        refusals = list(refusals_of(error))
        if not refusals:
            raise
        for refusal in refusals:
            err.print(f"{'.'.join(refusal.path)}: {refusal.message}" if refusal.path else refusal.message, style="red")
        sys.exit(2)


def in_shop(settings: Settings, do: Callable[[Shop], Awaitable[T]]) -> T:
    """Runs `do` with a shop whose database is there and at this version."""

    async def run(url: str) -> T:
        database = await connect(url, reactions=by_event(REACTIONS), max_size=4)
        try:
            return await do(make_shop(database, settings))
        finally:
            await database.close()

    with database_of(settings) as url:
        migrate_database(url)
        return asyncio.run(run(url))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default PORT, else 8000.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many web processes.")] = 1,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker beside them.")] = True,
) -> None:
    """Serve the API. Migrates first; Ctrl-C stops everything that it started."""
    settings = read_settings(os.environ)
    with database_of(settings) as url:
        migrate_database(url)
        options = ServeOptions(host, port or settings.port, workers, worker, settings.trusted_proxies)
        err.print(f"Counterfoil serves http://{host}:{options.port}/graphql (Ctrl-C stops it)")
        serve_(url, options)


@app.command()
def worker() -> None:
    """Run reactions to events and the sweeper. `serve` starts one by itself; more may run anywhere."""
    settings = read_settings(os.environ)
    with database_of(settings) as url:
        work(url, settings)


@app.command("test-provider")
def provider_of_tests(
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine.")] = 8009,
    file: Annotated[str, typer.Option(help="Where its ledger is kept.")] = "test-provider.db",
    webhook_url: Annotated[
        str | None, typer.Option(help="Where it reports: http://127.0.0.1:8000/webhooks/payments/test")
    ] = None,
) -> None:
    """Run the test payment provider: no money moves, and tokens say how it behaves. Set TEST_PROVIDER_URL to it."""
    settings = read_settings(os.environ)
    err.print(f"The test provider listens on http://127.0.0.1:{port} (Ctrl-C stops it)")
    run_test_provider(port, file, webhook_url, settings.payments.test_provider_secret)


@app.command("web", hidden=True)
def web_(fd: int) -> None:
    """One of the web processes of `serve --workers`, on a socket that it inherits."""
    web(socket.socket(fileno=fd), read_settings(os.environ).trusted_proxies)


@app.command()
def migrate() -> None:
    """Bring the database to this version. Safe to repeat, and while others do the same."""
    settings = read_settings(os.environ)
    with database_of(settings) as url:
        migrate_database(url)
    out.print("The database is at this version.")


@imports.command("shopify")
def import_shopify_(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="Product CSV files.")],
    currency: Annotated[str, typer.Option(help="Currency of the column Variant Price, for example EUR.")],
    region: Annotated[str | None, typer.Option(help="Code of the region that these prices are for.")] = None,
    location: Annotated[str, typer.Option(help="Code of the stock location that is counted.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen and write nothing.")] = False,
) -> None:
    """Import products that were exported from Shopify. A second run changes nothing, a changed file updates."""
    settings = read_settings(os.environ)
    options = ImportOptions(currency.upper(), region, location, dry_run)
    columns = SpinnerColumn(), TextColumn("{task.completed} rows"), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("rows", total=None)
        report = in_shop(
            settings, lambda shop: import_shopify(shop, files, options, lambda rows: progress.advance(task, rows))
        )
    _tell(report, dry_run=dry_run)
    if report.problems:
        raise typer.Exit(1)


def _tell(report: ImportReport, *, dry_run: bool) -> None:
    for note in report.notes:
        err.print(note, style="yellow", markup=False)
    for problem in report.problems:
        place = (
            f"{problem.file}:{problem.line}: {problem.column}: "
            if problem.column
            else f"{problem.file}:{problem.line}: "
        )
        err.print(place + problem.message, style="red", markup=False)
    done = "would be " if dry_run else ""
    out.print(
        f"Products: {report.created} {done}created, {report.updated} {done}updated, {report.unchanged} unchanged; "
        f"{report.variants} variants; {len(report.problems)} problems."
    )


@app.command()
def seed(
    products: Annotated[int, typer.Option(min=1, help="How many products there are to be, with six variants each.")],
    seed: Annotated[int, typer.Option(min=0, help="The same number makes the same products.")] = 1,
) -> None:
    """Fill the shop with made-up products for measuring. What is there of the seed stays; a second run adds nothing."""
    settings = read_settings(os.environ)
    command = SeedCatalogue(products, seed)
    with Progress(*Progress.get_default_columns(), console=err, transient=True) as progress:
        task = progress.add_task("products", total=products)
        added = in_shop(
            settings,
            lambda shop: seed_catalogue(shop, command, lambda there: progress.update(task, completed=there)),
        )
    if added:
        out.print(f"{added:,} products of seed {seed} were added.")
    else:
        out.print(f"There are {products:,} products of seed {seed} already; nothing was added.")


@staff.command("create")
def staff_create(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    name: Annotated[str, typer.Option(help="Shown on tickets.")] = "",
    role: Annotated[list[str] | None, typer.Option(help="A role that they get; may be repeated.")] = None,
    password: Annotated[
        str,
        typer.Option(
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            envvar="STAFF_PASSWORD",
            help="At least 12 characters.",
        ),
    ] = "",
) -> None:
    """Let somebody sign in as staff. Without a role they get Administrator."""
    settings = read_settings(os.environ)
    check_password(password)
    hashed = Argon2Passwords.hash(password)

    async def create(shop: Shop) -> None:
        async with shop.tx() as tx:
            await create_staff(tx, email, name, hashed, role or [ADMINISTRATOR])

    in_shop(settings, create)
    out.print(f"{email} can sign in.")


@staff.command("reset")
def staff_reset(email: Annotated[str, typer.Argument(help="Their e-mail address.")]) -> None:
    """Print a link, good once, by which somebody who lost everything chooses a new password.

    Takes their second factor away, signs them out everywhere and makes them active again; their roles stay.
    """
    settings = read_settings(os.environ)

    async def reset(shop: Shop) -> WayIn:
        async with shop.tx() as tx:
            return await let_in(tx, email)

    way_in = in_shop(settings, reset)
    token_ = signed_tokens(settings).single_use_token(way_in.purpose, way_in.token_id)
    print(f"{settings.admin_url}{PATHS[way_in.purpose]}?token={token_}")


@app.command()
def token(email: Annotated[str, typer.Argument(help="E-mail address of a customer or of staff.")]) -> None:
    """Print an access token for development: no password is asked for. Refused in production."""
    settings = read_settings(os.environ)
    if settings.production:
        raise WrongSetting("Tokens without a password are for development; sign in instead.")

    async def find(shop: Shop) -> str:
        for kind, look_up in ((ActorKind.STAFF, staff_credentials), (ActorKind.CUSTOMER, customer_credentials)):
            found = await look_up(shop.read, email)
            if found is not None:
                async with shop.tx() as tx:
                    begun = await session.begin(tx, kind, found.id, Device("counterfoil token"))
                return SignedTokens(settings.jwt_secret).access_token(kind, found.id, begun.session_id)[0]
        raise WrongSetting(f"There is nobody with the address {email}; counterfoil staff create makes staff.")

    print(in_shop(settings, find))


@documents.command("register")
def documents_register(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, readable=True, help="Manifests in JSON, or .graphql files."),
    ],
) -> None:
    """Let clients ask for these documents by their ids. All or none; a second run changes nothing."""
    settings = read_settings(os.environ)
    read = read_manifests(files, build_schema())
    if read.problems:
        _tell_problems(read.problems)

    async def register(shop: Shop) -> int:
        async with shop.tx() as tx:
            return await document.register(tx, list(read.commands))

    try:
        new = in_shop(settings, register)
    except (Refusal, ExceptionGroup) as error:
        places = {command.id: file for command, file in read.commands.items()}
        taken = [Problem(places[refusal.path[0]], refusal.message, refusal.path[0]) for refusal in refusals_of(error)]
        if not taken:
            raise
        _tell_problems(taken)
    out.print(f"Documents: {new} registered, {len(read.commands) - new} were there already.")


def _tell_problems(problems: list[Problem]) -> NoReturn:
    for problem in problems:
        place = f"{problem.file}: {problem.id}: " if problem.id else f"{problem.file}: "
        err.print(place + problem.message, style="red", markup=False)
    err.print("Nothing was registered.")
    raise typer.Exit(1)


@documents.command("list")
def documents_list() -> None:
    """List them, the latest first: id, operations and when it was registered, with tabs between."""

    async def registered(shop: Shop) -> list[TrustedDocument]:
        return await document.registered(shop.read)

    for row in in_shop(read_settings(os.environ), registered):
        print(row.id, ", ".join(row.operations), f"{row.registered_at:%Y-%m-%d %H:%M:%SZ}", sep="\t")


@documents.command("remove")
def documents_remove(ids: Annotated[list[str], typer.Argument(help="Ids as `documents list` shows them.")]) -> None:
    """Let nobody ask for these any more; running servers notice within seconds. All or none."""

    async def remove(shop: Shop) -> None:
        async with shop.tx() as tx:
            await document.remove(tx, ids)

    in_shop(read_settings(os.environ), remove)
    out.print(f"Documents: {len(set(ids))} removed.")


@stock.command("reconcile")
def stock_reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Make right what can be made right.")] = False,
) -> None:
    """Compare levels with their movements and reservations. Ends with status 1 while some differ."""
    settings = read_settings(os.environ)
    if in_shop(settings, lambda shop: reconcile(shop, out, err, repair=repair)):
        raise typer.Exit(1)


@schema.command("print")
def schema_print(
    storefront: Annotated[bool, typer.Option("--storefront", help="Only what needs no staff permission.")] = False,
) -> None:
    """Print the schema in SDL, with descriptions."""
    print(printed(storefront=storefront))


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default PORT, else 8000.")] = None,
) -> None:
    """Serve the demo shop: everything that is needed, with what to open and how to sign in."""
    settings = read_settings(os.environ)
    if settings.production:
        raise WrongSetting("The demo has known passwords; run it with COUNTERFOIL_ENV=development.")
    with database_of(settings) as url:
        with err.status("Preparing the database …"):
            migrate_database(url)
        with err.status("Loading the demo shop …"):
            asyncio.run(demo_.prepare(url, settings))
        os.environ.setdefault("COUNTERFOIL_DEBUG", "on")
        options = ServeOptions(host, port or settings.port)
        demo_.tell(out, f"http://{host}:{options.port}")
        serve_(url, options)
