"""The command line: `counterfoil --help`."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import Progress

from db.workflow import ActorKind
from domain import session
from domain.customer import check_password, customer_credentials
from domain.processes.export_shopify import export_shopify
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.mail_token import PATHS
from domain.processes.refresh_listing import rebuild_listing
from domain.processes.seed_catalogue import SeedCatalogue, seed_catalogue
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from domain.role import ADMINISTRATOR
from domain.session import Device
from domain.staff import WayIn, create_staff, let_in, staff_credentials
from domain.upsert import OnError
from server import demo as demo_
from server.app import signed_tokens
from server.document_commands import documents
from server.embedded import EmbeddedPostgresError
from server.migrate import migrate as migrate_database
from server.reconcile import reconcile
from server.sdl import printed
from server.serve import ServeOptions, database_of, end_on_sigterm, serving, work
from server.settings import WrongSetting, read_settings
from server.terminal import err, in_shop, out
from server.test_provider import run_test_provider
from server.tokens import Argon2Passwords, SignedTokens

T = TypeVar("T")
app = typer.Typer(help="Counterfoil: commerce whose orders split into live tickets.", no_args_is_help=True)
imports = typer.Typer(help="Bring a catalogue in.", no_args_is_help=True)
exports = typer.Typer(help="Take the catalogue out.", no_args_is_help=True)
staff = typer.Typer(help="Those who work in the shop.", no_args_is_help=True)
schema = typer.Typer(help="The GraphQL contract.", no_args_is_help=True)
stock = typer.Typer(help="What lies on the shelves.", no_args_is_help=True)
listing = typer.Typer(help="What lists of products and the search are ordered by.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(exports, name="export")
app.add_typer(staff, name="staff")
app.add_typer(documents, name="documents")
app.add_typer(schema, name="schema")
app.add_typer(stock, name="stock")
app.add_typer(listing, name="listing")


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


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default PORT, else 8000.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many web processes.")] = 1,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker beside them.")] = True,
) -> None:
    """Serve the API. Migrates first; Ctrl-C stops everything that it started."""
    settings = read_settings(os.environ)
    options = ServeOptions(host, port or settings.port, workers, worker, settings.trusted_proxies)
    with serving(options) as serve_from, database_of(settings) as url:
        migrate_database(url)
        err.print(f"Counterfoil serves http://{host}:{options.port}/graphql (Ctrl-C stops it)")
        serve_from(url)


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
    *,
    currency: Annotated[
        str | None,
        typer.Option(help="Currency of the column Variant Price, for example EUR. A file of our own says it itself."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Code of the region that these prices are for.")] = None,
    location: Annotated[str, typer.Option(help="Code of the stock location that is counted.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen and write nothing.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first product that has a problem.")] = False,
) -> None:
    """Import products that Shopify wrote, or `export shopify`. A second run changes nothing, a changed file updates."""
    settings = read_settings(os.environ)
    on_error = OnError.ABORT if stop else OnError.SKIP
    options = ImportOptions(currency and currency.upper(), region, location, dry_run, on_error)
    with Progress(*Progress.get_default_columns(), console=err, transient=True) as progress:
        task = progress.add_task("rows", total=None)
        report = in_shop(
            settings,
            lambda shop: import_shopify(
                shop, files, options, lambda done, of: progress.update(task, completed=done, total=of)
            ),
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
    if more := report.wrong - len(report.problems):
        err.print(f"And {more:,} more.", style="red")
    if report.stopped:
        err.print("Nothing was read after the first problem.", style="red")
    done = "would be " if dry_run else ""
    out.print(
        f"Products: {report.created} {done}created, {report.updated} {done}updated, {report.unchanged} unchanged; "
        f"{report.variants} variants; {report.wrong} problems."
    )


@exports.command("shopify")
def export_shopify_(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The CSV file to write; one that is there is replaced.")],
    currency: Annotated[
        str | None, typer.Option(help="Currency of the column Variant Price; by default that of the default region.")
    ] = None,
) -> None:
    """Write the catalogue as a product file of Shopify's, with columns of our own for what that has no place for."""
    settings = read_settings(os.environ)
    with Progress(*Progress.get_default_columns(), console=err, transient=True) as progress:
        task = progress.add_task("products", total=None)
        report = in_shop(
            settings,
            lambda shop: export_shopify(
                shop,
                file,
                currency and currency.upper(),
                lambda done, of: progress.update(task, completed=done, total=of),
            ),
        )
    for note in report.notes:
        err.print(note, style="yellow", markup=False)
    out.print(f"{report.products:,} products in {report.rows:,} rows: {file}", markup=False)


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


@listing.command("rebuild")
def listing_rebuild() -> None:
    """Make the rows anew that lists and the search are ordered by, while the shop goes on. The worker keeps them so."""
    settings = read_settings(os.environ)
    with Progress(*Progress.get_default_columns(), console=err, transient=True) as progress:
        task = progress.add_task("products", total=None)
        done = in_shop(
            settings,
            lambda shop: rebuild_listing(shop, lambda done, of: progress.update(task, completed=done, total=of)),
        )
    out.print(f"{done:,} products are listed anew.")


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
    options = ServeOptions(host, port or settings.port)
    with serving(options) as serve_from, database_of(settings) as url:
        with err.status("Preparing the database …"):
            migrate_database(url)
        with err.status("Loading the demo shop …"):
            asyncio.run(demo_.prepare(url, settings))
        os.environ.setdefault("COUNTERFOIL_DEBUG", "on")
        demo_.tell(out, f"http://{host}:{options.port}")
        serve_from(url)
