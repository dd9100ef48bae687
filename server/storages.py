"""The storage that is set: a directory, or a bucket."""

from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from domain.storage import Files, Storage
from plugins.storage_local import LocalStorage
from server.settings import Settings, WrongSetting


def make_files(settings: Settings) -> Files:
    return Files(make_storage(settings.files_url), settings.api_url, settings.upload_max_mib * 2**20)


def make_storage(url: str) -> Storage:
    """By name: the library of S3 takes a tenth of a second to import, and most shops do without it."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStorage(Path(unquote(parts.path)))
    try:
        module = cast(Any, import_module("plugins.storage_s3"))
    except ModuleNotFoundError as missing:
        raise WrongSetting(f"FILES_URL names a bucket, for which {missing.name} has to be installed.") from None
    return module.S3Storage(url)
