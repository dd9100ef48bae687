"""Docs are tried, not imagined: every query in them runs, every command and setting in them exists."""

import re
import subprocess
import sys

from graphql import parse, validate

from domain.processes.shop import Shop
from schema import build_schema
from server.demo import QUERIES
from tests import given
from tests.api import ROOT, Api, running_app

README, SETTINGS = (ROOT / "README.md").read_text(), (ROOT / "docs" / "settings.md").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


async def test_the_queries_of_the_docs_and_of_the_demo_run_by_plan(shop: Shop, database_url: str) -> None:
    await given.regions(shop)
    await given.product(shop, "pizza-box")
    await given.staff(shop, "notifications:read", "tax:read", "tax:write", "tickets:read", "workflows:write")
    documents = [*blocks("graphql"), *QUERIES.values()]
    assert len(documents) == 6
    for path in (ROOT / "docs").rglob("*.md"):
        documents += blocks("graphql", path.read_text())
    async with running_app(database_url, COUNTERFOIL_DEBUG="on") as api:
        staff = await given.signed_in(Api(api.http, {"x-debug": "execution"}), "toni@shop.example", as_staff=True)
        for document in documents:
            if "subscription" in document or "($" in document:  # what needs variables is run elsewhere
                assert validate(build_schema()._schema, parse(document)) == []
                continue
            answer = await staff.answer(document)
            assert "errors" not in answer, document
            assert answer["extensions"]["execution"]["handedOver"] == [], document


def test_the_commands_of_the_readme_exist() -> None:
    commands = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {c.split()[1] for c in commands if c.startswith("make")} <= set(targets)
    programs = [c.removeprefix(".venv/bin/counterfoil ").split() for c in commands if c.startswith(".venv")]
    assert len(programs) == 4
    for arguments in programs:
        words = [word for word in arguments if word.isalpha() and word.islower()]
        help_ = [sys.executable, "-m", "server", *words, "--help"]
        shown = subprocess.run(help_, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for option in (word for word in arguments if word.startswith("--")):
            assert option in shown, arguments


def test_the_settings_of_the_docs_are_those_that_are_read() -> None:
    files = [ROOT / "server" / name for name in ("settings.py", "payment_settings.py")]
    read = {name for file in files for name in re.findall(r'"([A-Z][A-Z_]+)"', file.read_text())} - {"DATABASE", "Z"}
    told = set(re.findall(r"`([A-Z][A-Z_]{3,})`", SETTINGS.split("| setting |")[1].split("\n\n")[0]))
    assert told == read
