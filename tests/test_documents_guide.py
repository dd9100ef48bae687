"""docs/documents.md is tried: its commands run in their order, its manifest is right, what it says of codes is so."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from domain.processes.shop import Shop
from server import document as requested
from server.view import STATUS
from tests import given
from tests.api import ROOT, Api, Server, environment_of_tests
from tests.documents import refused
from tests.test_readme import blocks

PAGE = (ROOT / "docs" / "documents.md").read_text()


async def test_the_commands_of_the_guide_do_what_it_says(
    shop: Shop, database_url: str, start_server: Any, tmp_path: Path
) -> None:
    await given.regions(shop)
    (listed,) = blocks("json", PAGE)
    ((id_, text),) = orjson.loads(listed).items()
    (tmp_path / "app" / "gql").mkdir(parents=True)
    (tmp_path / "app" / "gql" / "persisted-documents.json").write_text(listed)
    (commands,) = blocks("sh", PAGE)
    printed, register, list_, serve, remove = commands.splitlines()

    def run(command: str) -> str:
        program = f"{sys.executable} -m server"
        environment = environment_of_tests(DATABASE_URL=database_url, PYTHONPATH=str(ROOT))
        done = subprocess.run(
            command.replace(".venv/bin/counterfoil", program),
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(printed)
    assert (tmp_path / "schema.graphql").read_text() == (ROOT / "schema" / "storefront.graphql").read_text()
    assert run(register) == "Documents: 1 registered, 0 were there already.\n"
    assert run(list_).startswith(f"{id_}\tquery Browse\t")
    setting, program, command = serve.split()
    assert (program, command) == (".venv/bin/counterfoil", "serve")
    server: Server = start_server("--no-worker", **dict([setting.split("=")]))
    async with server.api() as api:
        assert (await asked(api, {"documentId": id_, "variables": {"first": 3}})) == {"products": {"nodes": []}}
        assert (await asked(api, {"query": text})) == {"products": {"nodes": []}}
        other = await api.http.post("/graphql", json={"query": f"{text} "})
        refused(other, 403, "DOCUMENT_NOT_TRUSTED")
    assert run(remove) == "Documents: 1 removed.\n"


async def asked(api: Api, body: dict[str, Any]) -> Any:
    return (await api.http.post("/graphql", json=body)).json()["data"]


def test_the_guide_tells_codes_statuses_and_seconds_as_they_are() -> None:
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", PAGE, re.MULTILINE))
    mine = {code: status for code, status in STATUS.items() if "DOCUMENT" in code or "PERSISTED" in code}
    assert {code: int(status) for code, status in told.items()} == {**mine, "BAD_REQUEST": 400}
    assert requested.RECHECK_SECONDS * 2 == 10, "the document is held so long, and an answer made meanwhile as well"
    assert "stops within ten seconds" in PAGE
