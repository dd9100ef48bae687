"""Docs are tried, not imagined: every query in the README runs, every command and setting in it exists."""

import re
import subprocess
import sys

from graphql import parse, validate

from domain.processes.shop import Shop
from schema import build_schema
from server.demo import QUERIES
from tests import given
from tests.api import ROOT, Api

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_queries_of_the_readme_and_of_the_demo_run(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop, "pizza-box")
    await given.staff(shop, "tickets:read")
    staff = await given.signed_in(api, "toni@shop.example", as_staff=True)
    documents = [*blocks("graphql"), *QUERIES.values()]
    assert len(documents) == 6
    for document in documents:
        if "subscription" in document:
            assert validate(build_schema()._schema, parse(document)) == []
        else:
            assert "errors" not in await staff.answer(document), document


def test_the_commands_of_the_readme_exist() -> None:
    commands = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {c.split()[1] for c in commands if c.startswith("make")} <= set(targets)
    programs = [c.removeprefix(".venv/bin/counterfoil ").split() for c in commands if c.startswith(".venv")]
    assert len(programs) == 4
    for arguments in programs:
        words = [word for word in arguments if word.isalpha() and word.islower()]
        help_ = [sys.executable, "-m", "server.cli", *words, "--help"]
        shown = subprocess.run(help_, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for option in (word for word in arguments if word.startswith("--")):
            assert option in shown, arguments


def test_the_settings_of_the_readme_are_those_that_are_read() -> None:
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', (ROOT / "server" / "settings.py").read_text())) - {"DATABASE", "Z"}
    told = set(re.findall(r"`([A-Z][A-Z_]{3,})`", README.split("| setting |")[1].split("\n\n")[0]))
    assert told == read
