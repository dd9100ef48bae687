"""A workflow as it is to be, checked: whatever a ticket goes through in it, it gets somewhere and can be called off."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from db.workflow import ActorKind, InitialFor, StateEffect, StateKind, TransitionRequirement
from domain.refusal import ErrorCode, Gathering, Refusal

LONGEST_NAME: Final = 100
MOST_STATES: Final = 50
MOST_TRANSITIONS: Final = 1_000
RUNNING: Final = frozenset({StateKind.OPEN, StateKind.WAITING_CUSTOMER})
BROUGHT_ABOUT: Final = frozenset(TransitionRequirement) - {TransitionRequirement.NOTE}
"""What comes true by itself, so that a ticket can follow it."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(eq=False)
class WorkflowFlawed(Refusal):
    """`state` and `to_state` name the state or the transition that is wrong, if one is."""

    state: str | None = None
    to_state: str | None = None
    code = ErrorCode.WORKFLOW_FLAWED


@dataclass(frozen=True)
class StateSpec:
    code: str
    name: str
    kind: StateKind
    initial_for: InitialFor | None = None
    sla_minutes: int | None = None
    effect: StateEffect = StateEffect.NONE
    brief_locked: bool = False


@dataclass(frozen=True)
class TransitionSpec:
    from_state: str
    to_state: str
    who: ActorKind = ActorKind.STAFF
    requires: tuple[TransitionRequirement, ...] = ()

    @property
    def key(self) -> tuple[str, str, ActorKind]:
        return self.from_state, self.to_state, self.who


Flaw = tuple[tuple[str, ...], str, str | None, str | None]
"""Where in the input, what is wrong, and of which state or transition."""


@dataclass(frozen=True)
class WorkflowSpec:
    """Staff may always call off what is not ended: such transitions need not be written down, and are added."""

    code: str
    name: str
    states: tuple[StateSpec, ...]
    transitions: tuple[TransitionSpec, ...]

    def __post_init__(self) -> None:
        gathering = Gathering()
        flaws = [*_flaws_of_names(self), *_flaws_of_states(self.states), *_flaws_of_transitions(self)]
        for path, message, state, to_state in flaws or _flaws_of_ways(self):
            with gathering.at():
                raise WorkflowFlawed(message, path=path, state=state, to_state=to_state)
        gathering.raise_if_any()
        object.__setattr__(self, "transitions", (*self.transitions, *_calling_off(self)))


def _flaws_of_names(spec: WorkflowSpec) -> Iterator[Flaw]:
    if not _CODE.fullmatch(spec.code):
        yield ("code",), "A code has small letters, digits and _, at most 50, and begins with a letter.", None, None
    if not _is_name(spec.name):
        yield ("name",), f"A name has 1 to {LONGEST_NAME} characters on one line.", None, None
    if not 1 <= len(spec.states) <= MOST_STATES:
        yield ("states",), f"A workflow has 1 to {MOST_STATES} states.", None, None
    if len(spec.transitions) > MOST_TRANSITIONS:
        yield ("transitions",), f"A workflow has at most {MOST_TRANSITIONS:,} transitions.", None, None


def _is_name(name: str) -> bool:
    return 1 <= len(name.strip()) <= LONGEST_NAME and name.isprintable()


def _flaws_of_states(states: tuple[StateSpec, ...]) -> Iterator[Flaw]:
    codes: set[str] = set()
    initial: set[InitialFor] = set()
    for i, state in enumerate(states):
        at = ("states", str(i))
        if not _CODE.fullmatch(state.code):
            yield (*at, "code"), "A code has small letters, digits and _, at most 50.", state.code, None
        if state.code in codes:
            yield (*at, "code"), f"There is another state {state.code!r}.", state.code, None
        if not _is_name(state.name):
            yield (*at, "name"), f"A name has 1 to {LONGEST_NAME} characters on one line.", state.code, None
        if state.initial_for in initial:
            yield (*at, "initial_for"), "Tickets begin in another state already.", state.code, None
        if state.initial_for is not None and state.kind not in RUNNING:
            yield (*at, "initial_for"), "Tickets cannot begin where they end.", state.code, None
        yield from _flaws_of_ending(state, at)
        codes.add(state.code)
        initial |= {state.initial_for} if state.initial_for else set()
    for case in sorted(set(InitialFor) - initial):
        yield ("states",), f"Say in which state tickets with {case.replace('_', ' ')} begin.", None, None
    ends = [state.code for state in states if state.kind == StateKind.CANCELLED]
    if len(ends) != 1:
        yield ("states",), "There must be one state of the kind CANCELLED.", None, None


def _flaws_of_ending(state: StateSpec, at: tuple[str, ...]) -> Iterator[Flaw]:
    if state.sla_minutes is not None and (state.kind not in RUNNING or not 1 <= state.sla_minutes <= 5_256_000):
        message = "Where tickets do not end, a time limit is 1 to 5,256,000 minutes; where they end there is none."
        yield (*at, "sla_minutes"), message, state.code, None
    if state.effect != StateEffect.NONE and state.kind == StateKind.CANCELLED:
        yield (*at, "effect"), "Nothing is sent of what is cancelled.", state.code, None


def _flaws_of_transitions(spec: WorkflowSpec) -> Iterator[Flaw]:
    states = {state.code: state for state in spec.states}
    seen: set[tuple[str, str, ActorKind]] = set()
    for i, one in enumerate(spec.transitions):
        for name, code in (("from_state", one.from_state), ("to_state", one.to_state)):
            if code not in states:
                message = f"There is no state {code!r}."
                yield ("transitions", str(i), name), message, one.from_state, one.to_state
        if one.key in seen:
            yield ("transitions", str(i)), "It is there twice.", one.from_state, one.to_state
        seen.add(one.key)
        if one.from_state in states and one.to_state in states:
            for name, message in _flaws_of_way(one, states):
                yield ("transitions", str(i), name), message, one.from_state, one.to_state


def _flaws_of_way(one: TransitionSpec, states: Mapping[str, StateSpec]) -> Iterator[tuple[str, str]]:
    if one.from_state == one.to_state:
        yield "to_state", "It leads nowhere."
    if states[one.from_state].kind == StateKind.CANCELLED:
        yield "from_state", "What is cancelled stays so: its units were given up."
    if one.who != ActorKind.STAFF and TransitionRequirement.NOTE in one.requires:
        yield "requires", "Only staff write a note with a move."
    goods = one.who == ActorKind.SYSTEM and states[one.to_state].effect != StateEffect.NONE
    if one.who != ActorKind.STAFF and not goods and not BROUGHT_ABOUT & set(one.requires):
        yield "requires", "Nothing would ever take a ticket there: say what it follows."


def _flaws_of_ways(spec: WorkflowSpec) -> Iterator[Flaw]:
    forwards = [(one.from_state, one.to_state) for one in (*spec.transitions, *_calling_off(spec))]
    reached = _closure([state.code for state in spec.states if state.initial_for], forwards)
    done = [state.code for state in spec.states if state.kind == StateKind.DONE]
    ends = _closure(done, [(to, from_) for from_, to in forwards])
    for i, state in enumerate(spec.states):
        if state.code not in reached:
            yield ("states", str(i)), f"No ticket ever comes to {state.code!r}.", state.code, None
        elif state.kind in RUNNING and state.code not in ends:
            yield ("states", str(i)), f"From {state.code!r} no way leads to a state of the kind DONE.", state.code, None


def _closure(begin: Iterable[str], ways: list[tuple[str, str]]) -> set[str]:
    found, more = set[str](), set(begin)
    while more:
        found |= more
        more = {to for from_, to in ways if from_ in found} - found
    return found


def _calling_off(spec: WorkflowSpec) -> Iterator[TransitionSpec]:
    """From every state that is not an end to the cancelled one, unless it is written down."""
    cancelled = next(state.code for state in spec.states if state.kind == StateKind.CANCELLED)
    known = {one.key for one in spec.transitions}
    for state in spec.states:
        added = TransitionSpec(state.code, cancelled)
        if state.kind in RUNNING and added.key not in known:
            yield added


STAFF, CUSTOMER, SYSTEM = ActorKind.STAFF, ActorKind.CUSTOMER, ActorKind.SYSTEM
_COMPLETE: Final = (TransitionRequirement.BRIEF_COMPLETE,)
_APPROVED: Final = (TransitionRequirement.APPROVED_PROOF,)
_PROOFED: Final = TransitionSpec("designing_artwork", "proof_sent")
DEFAULT: Final = WorkflowSpec(
    "default",
    "Custom work",
    (
        StateSpec("awaiting_brief", "Awaiting brief", StateKind.WAITING_CUSTOMER, InitialFor.INCOMPLETE_BRIEF),
        StateSpec("brief_received", "Brief received", StateKind.OPEN, InitialFor.COMPLETE_BRIEF),
        StateSpec("designing_artwork", "Designing artwork", StateKind.OPEN),
        StateSpec("proof_sent", "Proof sent", StateKind.WAITING_CUSTOMER),
        StateSpec("fulfilling", "Fulfilling", StateKind.OPEN, brief_locked=True),
        StateSpec("delivered", "Delivered", StateKind.DONE, effect=StateEffect.DELIVER, brief_locked=True),
        StateSpec("cancelled", "Cancelled", StateKind.CANCELLED, brief_locked=True),
    ),
    (
        TransitionSpec("awaiting_brief", "brief_received", STAFF, _COMPLETE),
        TransitionSpec("awaiting_brief", "brief_received", CUSTOMER, _COMPLETE),
        TransitionSpec("brief_received", "designing_artwork"),
        _PROOFED,
        replace(_PROOFED, who=SYSTEM, requires=(TransitionRequirement.UNDECIDED_PROOF,)),
        TransitionSpec("designing_artwork", "awaiting_brief"),
        TransitionSpec("proof_sent", "fulfilling", STAFF, _APPROVED),
        TransitionSpec("proof_sent", "fulfilling", CUSTOMER, _APPROVED),
        TransitionSpec("proof_sent", "designing_artwork"),
        TransitionSpec("proof_sent", "designing_artwork", CUSTOMER, (TransitionRequirement.CHANGES_REQUESTED,)),
        TransitionSpec("fulfilling", "delivered"),
        TransitionSpec("fulfilling", "delivered", SYSTEM),
        TransitionSpec("fulfilling", "designing_artwork"),
    ),
)
