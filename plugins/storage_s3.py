"""Files in a bucket of S3, or of something that speaks like it (MinIO, Garage, Ceph, R2).

Clients put the bytes there by themselves, with an address that is signed for these bytes alone. What the service does
not check is checked when the upload is completed. Credentials are found as every AWS tool finds them: in
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in a profile, or of the machine.
"""

import asyncio
import base64
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domain.storage import Announced, StorageUnavailable, Target

T = TypeVar("T")
PART: Final = 256 * 1024
PATIENCE: Final = 10
"""Seconds for each word of the service."""
ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Storage:
    """`s3://bucket/prefix?endpoint=https://…&region=…`; prefix and query may be left out."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._bucket, prefix = parts.netloc, unquote(parts.path).strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        # A checksum of the service's own choice in every request is what some that speak like S3 do not understand.
        config = Config(
            signature_version="s3v4",
            connect_timeout=PATIENCE,
            read_timeout=PATIENCE,
            retries={"mode": "standard", "total_max_attempts": 3},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if "endpoint" in options else "auto"},
        )
        self._s3: Any = cast(Any, boto3).client(
            "s3", region_name=options.get("region"), endpoint_url=options.get("endpoint"), config=config
        )
        self._scratch = Path(tempfile.gettempdir())

    @property
    def scratch(self) -> Path:
        return self._scratch

    def upload_target(self, key: str, announced: Announced, seconds: int) -> Target:
        checksum = base64.b64encode(bytes.fromhex(announced.sha256)).decode()
        asked = {**self._object(key), "ContentLength": announced.size, "ChecksumSHA256": checksum}
        url = self._s3.generate_presigned_url("put_object", Params=asked, ExpiresIn=seconds)
        # Content-Length is signed as well, but every client sends it by itself and browsers let nobody set it.
        return Target(url, {"x-amz-checksum-sha256": checksum})

    async def take(self, path: Path, key: str) -> None:
        await _asked(lambda: self._s3.upload_file(str(path), self._bucket, self._prefix + key))

    async def size(self, key: str) -> int | None:
        found = await _asked(lambda: _unless_absent(lambda: self._s3.head_object(**self._object(key))))
        return None if found is None else found["ContentLength"]

    async def fetch(self, key: str, path: Path) -> bool:
        def download() -> bool:
            self._s3.download_file(self._bucket, self._prefix + key, str(path))
            return True

        return await _asked(lambda: _unless_absent(download)) or False

    async def read(self, key: str, first: int, count: int) -> AsyncGenerator[bytes]:
        if count <= 0:
            return
        span = f"bytes={first}-{first + count - 1}"
        found = await _asked(lambda: _unless_absent(lambda: self._s3.get_object(**self._object(key), Range=span)))
        if found is None:
            return
        body = found["Body"]
        try:
            while part := await _asked(lambda: cast(bytes, body.read(PART))):
                yield part
        finally:
            body.close()

    async def remove(self, prefix: str) -> None:
        await _asked(lambda: self._remove(prefix))

    async def tidy(self) -> None:
        """What dead processes left lies in the machine's own directory for such things."""

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _remove(self, prefix: str) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
        for page in pages:
            for found in page.get("Contents", ()):
                self._s3.delete_object(Bucket=self._bucket, Key=found["Key"])


def _unless_absent(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ClientError as error:
        if cast(Any, error).response["Error"]["Code"] in ABSENT:
            return None
        raise


async def _asked(ask: Callable[[], T]) -> T:
    """In a thread. What went wrong is told without the words of the service, which may show keys and addresses."""
    try:
        return await asyncio.to_thread(ask)
    except (BotoCoreError, Boto3Error, ClientError, OSError) as error:
        raise StorageUnavailable(type(error).__name__) from error
