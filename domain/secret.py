"""Secrets of ours that are shown once: random, so a plain hash of them is enough to know them again."""

import hashlib


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
