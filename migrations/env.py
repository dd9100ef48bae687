"""Alembic's entry: migrates the address that `server/migrate.py` gives, one revision per transaction."""

import sqlalchemy
from alembic import context
from sqlalchemy import pool

from db import Base

url = sqlalchemy.make_url(context.config.attributes["url"]).set(drivername="postgresql+psycopg")
engine = sqlalchemy.create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
