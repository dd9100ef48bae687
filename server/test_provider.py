"""The process of `counterfoil test-provider`."""

import uvicorn

from plugins.test_payment.provider import create_provider


def run_test_provider(port: int, file: str, webhook_url: str | None, secret: str) -> None:
    """Serves it on this machine until a signal ends it; what was promised is in the file."""
    app = create_provider(file, f"http://127.0.0.1:{port}", webhook_url, secret)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
