"""What is raised when the database cannot serve a statement now but may well do so later."""

from typing import Final

from asyncpg import (
    DeadlockDetectedError,
    IdleInTransactionSessionTimeoutError,
    InterfaceError,
    InternalClientError,
    LockNotAvailableError,
    OperatorInterventionError,
    PostgresConnectionError,
    TooManyConnectionsError,
)

TRY_AGAIN: Final = (
    ConnectionError,
    FileNotFoundError,  # PostgreSQL's socket, while it restarts
    TimeoutError,
    InterfaceError,
    InternalClientError,  # a statement begun on a connection that is just being closed
    DeadlockDetectedError,
    IdleInTransactionSessionTimeoutError,
    LockNotAvailableError,
    OperatorInterventionError,
    PostgresConnectionError,
    TooManyConnectionsError,
)
