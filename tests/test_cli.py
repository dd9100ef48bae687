"""The command line, as a merchant and a developer use it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from typer.testing import CliRunner

from db import Product, Role, Staff
from db.connection import new_id
from domain.processes.shop import Shop
from server.cli import app
from tests import carts, given
from tests.api import ROOT, Api, environment_of_tests, free_port

COMMANDS = [
    "serve",
    "worker",
    "migrate",
    "import shopify",
    "export shopify",
    "seed",
    "staff create",
    "staff reset",
    "token",
    "documents register",
    "documents list",
    "documents remove",
    "schema print",
    "demo",
]


def counterfoil(database_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=environment_of_tests(DATABASE_URL=database_url, **environment),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["", *COMMANDS, "import", "staff", "documents", "schema"])
def test_every_command_has_help(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).parent / "counterfoil"
    shown = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(command.split()[0] in shown for command in COMMANDS)


async def test_an_import_tells_what_it_did_and_what_to_mend(shop: Shop, database_url: str, tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_text("Handle,Title,Variant Price,Published\nmug,Mug,9.50,true\ncup,Cup,nine,true\n")
    dry = counterfoil(database_url, "import", "shopify", str(products), "--currency", "EUR", "--dry-run")
    assert dry.returncode == 1
    assert "1 would be created" in dry.stdout
    assert f"{products}:3: Variant Price: " in dry.stderr
    assert await shop.read.scalar(select(func.count()).select_from(Product)) == 0
    done = counterfoil(database_url, "import", "shopify", str(products), "--currency", "EUR")
    assert "Products: 1 created, 0 updated, 0 unchanged; 1 variants; 1 problems." in done.stdout
    assert await shop.read.scalars(select(Product.handle)) == ["mug"]


def test_an_import_in_an_unknown_currency_says_so_in_one_line(database_url: str, tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_text("Handle,Title,Variant Price\nmug,Mug,9.50\n")
    ended = counterfoil(database_url, "import", "shopify", str(products), "--currency", "EURO")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "currency: 'EURO' is not a currency that can be used here.\n"


def test_an_import_of_a_file_that_is_not_there_says_so(database_url: str) -> None:
    ended = counterfoil(database_url, "import", "shopify", "nowhere.csv", "--currency", "EUR")
    assert ended.returncode == 2
    assert "nowhere.csv" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_staff_are_created_and_can_sign_in(shop: Shop, api: Api, database_url: str) -> None:
    async with shop.tx() as tx:
        await tx.insert(Role, [{"id": new_id(), "name": "Printers", "permissions": ["tickets:read"]}])
    create = ("staff", "create", "Ann@Shop.example", "--role", "Printers")
    assert counterfoil(database_url, *create, STAFF_PASSWORD=given.PASSWORD).returncode == 0
    ann = await given.signed_in(api, "ann@shop.example", as_staff=True)
    assert await ann("{ tickets { nodes { id } } }") == {"tickets": {"nodes": []}}
    again = counterfoil(database_url, *create, STAFF_PASSWORD=given.PASSWORD)
    assert (again.returncode, again.stderr) == (2, "email: There is a member of staff with this e-mail address.\n")


async def test_the_first_member_of_staff_may_do_everything(shop: Shop, api: Api, database_url: str) -> None:
    assert (
        counterfoil(database_url, "staff", "create", "boss@shop.example", STAFF_PASSWORD=given.PASSWORD).returncode == 0
    )
    boss = await given.signed_in(api, "boss@shop.example", as_staff=True)
    assert await boss("{ tickets { nodes { id } } }") == {"tickets": {"nodes": []}}


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        (("ann@shop.example",), "short", "password: A password has 12 to 200 characters."),
        (("ann",), given.PASSWORD, "email: This is not an e-mail address such as you@example.com."),
        (("ann@shop.example", "--role", "Ghosts"), given.PASSWORD, "roles: There is no role 'Ghosts'; there are: "),
    ],
)
async def test_staff_that_cannot_be_are_refused(
    shop: Shop, database_url: str, arguments: tuple[str, ...], password: str, said: str
) -> None:
    ended = counterfoil(database_url, "staff", "create", *arguments, STAFF_PASSWORD=password)
    assert ended.returncode == 2
    assert ended.stderr.startswith(said)
    assert await shop.read.all(select(Staff)) == []


async def test_a_development_token_opens_what_a_sign_in_would(shop: Shop, api: Api, database_url: str) -> None:
    await given.staff(shop, "tickets:read")
    printed = counterfoil(database_url, "token", "toni@shop.example")
    toni = api.signed_in(printed.stdout.strip())
    assert await toni("{ tickets { nodes { id } } }") == {"tickets": {"nodes": []}}
    nobody = counterfoil(database_url, "token", "nobody@shop.example")
    assert (nobody.returncode, nobody.stdout) == (2, "")


def test_production_gives_out_no_development_tokens_and_no_demo(database_url: str) -> None:
    production = {"COUNTERFOIL_ENV": "production", "COOKIE_SECRET": "c" * 32}
    for command in (["token", "toni@shop.example"], ["demo"]):
        assert counterfoil(database_url, *command, **production).returncode == 2


def test_a_taken_port_is_told_in_one_sentence(database_url: str) -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        ended = counterfoil(database_url, "serve", "--port", str(port), "--no-worker")
    assert ended.returncode == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in ended.stderr


def test_the_storefronts_schema_has_nothing_that_needs_a_permission() -> None:
    whole, part = (
        counterfoil("postgresql://nobody@nowhere/none", "schema", "print", *more).stdout
        for more in ([], ["--storefront"])
    )
    assert "ticketMove(" in whole
    assert "tickets(" in whole.partition("type Query")[2].partition("\n}")[0]
    assert "ticketMove(" not in part
    assert "tickets(" not in part.partition("type Query")[2].partition("\n}")[0]
    assert "cartComplete(" in part


async def test_an_administrator_who_lost_everything_gets_a_link(shop: Shop, api: Api, database_url: str) -> None:
    """Even one who was made inactive and has lost the second factor; the link is good once and nobody mails it."""
    key = await given.staff(shop, "*")
    before = await given.signed_in(api, "toni@shop.example", as_staff=True)
    await carts.execute(
        shop, "UPDATE staff SET active = false, totp_secret = 'lost', totp_confirmed_at = now() WHERE id = :id", id=key
    )
    events = await shop.read.value(text("SELECT count(*) FROM event"))
    ended = counterfoil(database_url, "staff", "reset", "Toni@Shop.example", ADMIN_URL="https://admin.example")
    assert (ended.returncode, ended.stderr) == (0, "")
    link, token = ended.stdout.strip().split("?token=")
    assert link == "https://admin.example/reset"
    assert await shop.read.value(text("SELECT count(*) FROM event")) == events
    assert (await before.raw("{ staffMe { id } }")).status_code == 401
    chosen = {"token": token, "password": "another correct horse"}
    await api.done("staffResetPassword", chosen, "__typename")
    assert (await api.do("staffResetPassword", chosen, "__typename"))["userErrors"][0]["code"] == "TOKEN_INVALID"
    password = {"email": "toni@shop.example", "password": chosen["password"]}
    signed = await api.done("staffSignIn", password, "accessToken")
    assert await api.signed_in(signed["accessToken"])("{ tickets { nodes { id } } }") == {"tickets": {"nodes": []}}
    row = (await shop.read.records(text("SELECT * FROM audit_entry WHERE action = 'staff reset'")))[0]
    assert (row.actor_kind, row.staff_id, row.subject) == ("system", None, f"staff:{key}")
    assert row.difference == {"active": [False, True], "second_factor": [True, False]}


async def test_a_reset_of_nobody_says_so_and_one_of_an_invited_member_invites_again(
    shop: Shop, api: Api, database_url: str
) -> None:
    ended = counterfoil(database_url, "staff", "reset", "nobody@shop.example")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "email: There is no member of staff with this e-mail address.\n"
    key = await given.staff(shop, "*")
    await carts.execute(shop, "UPDATE staff SET password_hash = NULL WHERE id = :id", id=key)
    link, token = counterfoil(database_url, "staff", "reset", "toni@shop.example").stdout.strip().split("?token=")
    assert link.endswith("/invitation")
    accepted = {"token": token, "password": given.PASSWORD}
    assert (await api.done("staffAcceptInvitation", accepted, "accessToken"))["accessToken"]
