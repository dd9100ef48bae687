"""The words of mails and of other channels: a template for each thing that is told, in each language that has one."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.translation import fallbacks

TEMPLATES: Final = Path(__file__).parent / "mail_templates"
LAST: Final = "en"
"""Every template is there in this language."""
BLOCKS: Final = ("subject", "before", "action", "after")
"""What every template has: the words before the link, on it, and after it."""


class Wording:
    """`html`: what comes of facts is escaped. A template that a language lacks is taken of the next one."""

    def __init__(self, shop: str, *, html: bool = False, templates: Path = TEMPLATES) -> None:
        loader = FileSystemLoader(templates)
        self._environment = Environment(
            loader=loader,
            autoescape=html,  # noqa: S701 - text is no HTML
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        self._shop = shop

    def words(self, template: str, locale: str | None, facts: Mapping[str, str]) -> dict[str, str]:
        """Each block on one line, how mails are ended, and the `locale` in which it all is."""
        chain = [*fallbacks(locale), LAST]
        found = self._environment.select_template([f"{one}/{template}.jinja" for one in chain])
        language = str(found.name).partition("/")[0]
        context = found.new_context({**_printable(facts), "shop": self._shop})
        words = {name: " ".join("".join(found.blocks[name](context)).split()) for name in BLOCKS}
        ending = self._environment.get_template(f"{language}/_ending.jinja")
        said = " ".join("".join(ending.blocks["ending"](ending.new_context({}))).split())
        return {**words, "ending": said, "locale": language}

    def laid_out(self, layout: str, template: str, locale: str | None, facts: Mapping[str, str]) -> str:
        """The words in a layout, with what somebody wrote (`quote`) and how to end it (`unsubscribe`) if there is."""
        given = {"quote": "", "unsubscribe": "", **_printable(facts), "shop": self._shop}
        words = self.words(template, locale, facts)
        return self._environment.get_template(layout).render({**given, **words})


def _printable(facts: Mapping[str, str]) -> dict[str, str]:
    """Without what steers terminals and mail programs."""
    return {name: "".join(c for c in said if c in "\n\t" or _prints(c)) for name, said in facts.items()}


@cache
def _prints(character: str) -> bool:
    return unicodedata.category(character) != "Cc"
