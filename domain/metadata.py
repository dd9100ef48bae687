"""Metadata: what merchants and plug-ins note about a thing, a JSON object that the shop itself gives no meaning."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from db.base import MOST_METADATA
from domain.refusal import ValidationFailed


def check_metadata(metadata: Mapping[str, Any], *path: str) -> None:
    """Refuses more than a thing may have."""
    if size_of(metadata) > MOST_METADATA:
        raise ValidationFailed(f"Metadata has at most {MOST_METADATA:,} bytes.", path=path or ("metadata",))


def size_of(value: Any) -> int:
    """Bytes of a JSON value as PostgreSQL writes it (`octet_length(jsonb::text)`), which is what its CHECKs count."""
    return len(json.dumps(_written_out(value), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _written_out(value: Any) -> Any:
    """With each fraction as a whole number that is as long as PostgreSQL writes it: neither with an exponent, nor is
    there a zero below zero.
    """
    if isinstance(value, float):
        return int("1" * len(format(Decimal(_spelled(value or 0.0)), "f")))
    if isinstance(value, dict):
        return {key: _written_out(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_written_out(part) for part in cast("list[Any]", value)]
    return value


def _spelled(value: float) -> str:
    return re.sub(r"\.0(?=e)", "", repr(value))
