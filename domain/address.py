"""Postal addresses and e-mail addresses, as they are written down with carts and orders."""

import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Final

import pycountry
from email_validator import EmailNotValidError, validate_email

from domain.refusal import Gathering, ValidationFailed

LONGEST: Final = 200
NOT_ON_A_LINE: Final = frozenset(["Cc", "Zl", "Zp"])
"""Unicode's control characters and separators of lines; wide spaces and joiners are how addresses are written."""
COUNTRIES: Final = frozenset(country.alpha_2 for country in pycountry.countries)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Name, street, city and country are required; the rest differs too much between countries to be."""

    first_name: str = ""
    last_name: str
    address1: str
    city: str
    country: str
    company: str = ""
    address2: str = ""
    postal_code: str = ""
    province: str = ""
    phone: str = ""

    def __post_init__(self) -> None:
        gathering = Gathering()
        for name, value in asdict(self).items():
            with gathering.at(name):
                if not value.strip() and name in {"last_name", "address1", "city"}:
                    raise ValidationFailed("This part of an address is required.")
                check_line(value)
        with gathering.at("country"):
            if self.country not in COUNTRIES:
                raise ValidationFailed(f"{self.country!r} is not an ISO 3166 country code such as DE.")
        gathering.raise_if_any()

    @property
    def data(self) -> dict[str, Any]:
        return {name: value.strip() for name, value in asdict(self).items()}


def check_line(value: str) -> None:
    """What people write on one line, and not more of it than fits."""
    if len(value) > LONGEST:
        raise ValidationFailed(f"At most {LONGEST} characters, please.")
    if any(unicodedata.category(character) in NOT_ON_A_LINE for character in value):
        raise ValidationFailed("Line breaks and control characters do not belong here.")


def normalised_email(address: str, path: str = "email") -> str:
    """An e-mail address in the form in which two of one person are equal: lower case, checked by syntax."""
    try:
        # The reserved domains (.test, .example) are how shops are tried out.
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValidationFailed("This is not an e-mail address such as you@example.com.", path=(path,)) from None
    return checked.normalized.lower()
