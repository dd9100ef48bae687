"""Settings about payments: the test provider, and failpoints. Neither is for production."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from domain.failpoint import Failpoint
from domain.failpoint import parse as parse_failpoints
from domain.payment_provider import Captures

DEVELOPMENT_WEBHOOK_SECRET: Final = "whsec_ZGV2ZWxvcG1lbnQtb25seS1uZXZlci1pbi1wcm9kdWN0aW9u"  # noqa: S105


class WrongPaymentSetting(ValueError):
    """One sentence that says what to write instead."""


@dataclass(frozen=True)
class PaymentSettings:
    test_provider_url: str | None = None
    """Null: nobody can pay by `test`."""
    test_provider_secret: str = field(default=DEVELOPMENT_WEBHOOK_SECRET, repr=False)
    test_provider_captures: Captures = Captures.AUTOMATIC
    failpoints: Mapping[str, Failpoint] = field(default_factory=dict[str, Failpoint])


def read_payment_settings(environment: Mapping[str, str], *, production: bool) -> PaymentSettings:
    url = environment.get("TEST_PROVIDER_URL", "").strip().rstrip("/") or None
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise WrongPaymentSetting("TEST_PROVIDER_URL must be an address such as http://127.0.0.1:8009, or be left out.")
    if url is not None and production and environment.get("TEST_PROVIDER_IN_PRODUCTION") != "on":
        raise WrongPaymentSetting(
            "TEST_PROVIDER_URL lets everybody buy for nothing; leave it out in production, "
            "or set TEST_PROVIDER_IN_PRODUCTION=on as well."
        )
    captures = environment.get("TEST_PROVIDER_CAPTURES") or Captures.AUTOMATIC
    if captures not in set(Captures):
        raise WrongPaymentSetting(f"TEST_PROVIDER_CAPTURES is {captures!r}; write automatic or manual.")
    return PaymentSettings(
        url,
        environment.get("TEST_PROVIDER_SECRET") or DEVELOPMENT_WEBHOOK_SECRET,
        Captures(captures),
        _failpoints(environment, production=production),
    )


def _failpoints(environment: Mapping[str, str], *, production: bool) -> dict[str, Failpoint]:
    given = environment.get("FAILPOINT", "").strip()
    if given and production:
        raise WrongPaymentSetting("FAILPOINT is for tests; leave it out in production.")
    try:
        return parse_failpoints(given)
    except ValueError as error:
        raise WrongPaymentSetting(
            f"FAILPOINT has {str(error)!r}; write names by commas, such as after_capture:kill@2, before_refund:sleep=1."
        ) from None
