"""Finds the ways to tell people what has happened: each is a file `plugins/notify_<name>.py` with a `make_channel`."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

import plugins
from domain.mail import Post
from domain.notification import NotificationChannel

PREFIX: Final = "notify_"


def make_channels(post: Post, environment: Mapping[str, str]) -> tuple[NotificationChannel, ...]:
    """By name. `make_channel(post, environment)` makes a channel, or returns None where nobody has set it up."""
    return tuple(_made(post, environment))


def _made(post: Post, environment: Mapping[str, str]) -> Iterator[NotificationChannel]:
    for found in sorted(pkgutil.iter_modules(plugins.__path__), key=lambda module: module.name):
        if found.name.startswith(PREFIX):
            channel = import_module(f"{plugins.__name__}.{found.name}").make_channel(post, environment)
            if channel is not None:
                yield channel
