"""What `make bench` measures works, and is the same thing in every variant: only how fast is its own business."""

from bench import limit
from bench.documents import PER_PAGE
from bench.measure import in_process, same_answers, statements
from bench.workloads import ENGINES, LIMIT, plentiful, workloads
from domain.processes.seed_catalogue import SeedCatalogue, seed_catalogue
from domain.processes.shop import Shop
from server.app import create_app
from server.settings import read_settings

PRODUCTS = 3 * PER_PAGE


async def test_every_variant_does_every_operation_and_gives_the_same_answers(shop: Shop, database_url: str) -> None:
    await seed_catalogue(shop, SeedCatalogue(PRODUCTS))
    app = create_app(read_settings({"DATABASE_URL": database_url}))
    async with in_process(app) as (ours, _), in_process(limit.create_app(database_url)) as (by_hand, _):
        await same_answers({ENGINES[0]: ours, LIMIT: by_hand}, PRODUCTS)
        listed = workloads(PRODUCTS, await plentiful(ours))
    counts = await statements(listed, database_url)
    assert {name: set(found) for name, found in counts.items()} == {
        "page": {*ENGINES, LIMIT},
        "other-page": {*ENGINES},
        "detail": {*ENGINES, LIMIT},
        "deep-page": {*ENGINES, LIMIT},
        "category": {*ENGINES},
        "search": {*ENGINES},
        "facets": {*ENGINES},
        "cart": {*ENGINES},
        "checkout": {*ENGINES},
        "fixed": {LIMIT},
    }
    for name in ("page", "detail", "deep-page"):
        ours = counts[name][ENGINES[0]]
        assert counts[name][LIMIT] == ours, f"{name}: the limit must not be one of more or fewer statements"
        assert counts[name][ENGINES[1]] >= ours, name
