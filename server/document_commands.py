"""The command line for trusted documents."""

import os
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from db import TrustedDocument
from domain import document
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from schema import build_schema
from server.manifest import Problem, read_manifests
from server.settings import read_settings
from server.terminal import err, in_shop, out

documents: Final = typer.Typer(help="Trusted documents: what clients may ask by an id.", no_args_is_help=True)


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
