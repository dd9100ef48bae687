"""`make journey`: the same journey through a running `make demo`, step by step."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import httpx

from tests.api import Api
from tests.journey.walk import Journey


async def main(url: str) -> None:
    steps = iter(range(1, 100))
    with tempfile.TemporaryDirectory() as folder:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            journey = Journey(Api(http), lambda step: print(f"{next(steps):3}. {step}"), {}, Path(folder))
            await journey.walk()
    print("Nothing was missed.")


if __name__ == "__main__":
    origin = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else origin))
    except httpx.ConnectError:
        sys.exit(f"Nothing answers at {origin}; start `make demo` in another terminal first.")
