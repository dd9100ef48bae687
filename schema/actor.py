"""Which side acted: a word of many types."""

from db.workflow import ActorKind
from schema.build import enum

__all__ = ["ActorKind"]

enum(ActorKind, "Which side acted.", STAFF="The merchant.", CUSTOMER="The customer.", SYSTEM="The shop by itself.")
