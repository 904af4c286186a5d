"""States of consignments, the mix a world begins with, and the rules of cancelling. Pure."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import isfinite
from typing import Final

from cancellist.sandbox.world.references import draw

DEFAULT_MIX: Final = "Allocated=84,ReadyToShip=6,Unallocated=2,Manifested=5,InTransit=1,Cancelled=2"


class State(StrEnum):
    """Every state that the platform's guide names."""

    UNALLOCATED = "Unallocated"
    ALLOCATING = "Allocating"
    ALLOCATION_FAILED = "AllocationFailed"
    ALLOCATED = "Allocated"
    READY_TO_SHIP = "ReadyToShip"
    MANIFESTING = "Manifesting"
    MANIFESTED = "Manifested"
    MANIFEST_FAILED = "ManifestFailed"
    AT_DROP_OFF_POINT = "AtDropOffPoint"
    COLLECTED = "Collected"
    COLLECTION_FAILED = "CollectionFailed"
    IN_TRANSIT = "InTransit"
    IN_TRANSIT_WAITING = "InTransitWaiting"
    DELAYED = "Delayed"
    OUT_FOR_DELIVERY = "OutForDelivery"
    DELIVERY_FAILED = "DeliveryFailed"
    DELIVERY_FAILED_CARD_LEFT = "DeliveryFailedCardLeft"
    DELIVERED = "Delivered"
    PARTIALLY_DELIVERED = "PartiallyDelivered"
    DELIVERED_DAMAGED = "DeliveredDamaged"
    AT_COLLECTION_POINT = "AtCollectionPoint"
    AT_CUSTOMS = "AtCustoms"
    HELD_BY_CARRIER = "HeldByCarrier"
    RETURN_TO_SENDER = "ReturnToSender"
    ACTION_REQUIRED = "ActionRequired"
    EXCHANGE_FAILED = "ExchangeFailed"
    CARRIER_UNABLE_TO_COLLECT = "CarrierUnableToCollect"
    MISSING = "Missing"
    LOST = "Lost"
    DAMAGED = "Damaged"
    DISPATCHED = "Dispatched"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"


STATES: Final = tuple(State)
_BY_LETTERS: Final = {state.lower(): state for state in STATES}

# A failed manifest left the consignment unmanifested, so it can still be cancelled.
# Tuples are searched by identity; sets would hash an enumeration's member, which is slow.
OPEN: Final = (State.ALLOCATED, State.READY_TO_SHIP, State.UNALLOCATED, State.ALLOCATION_FAILED, State.MANIFEST_FAILED)
PASSING: Final = (State.ALLOCATING, State.MANIFESTING, State.CANCELLING)
MUST_DEALLOCATE: Final = (State.ALLOCATED, State.MANIFEST_FAILED)
"""States that the older rule requires to be deallocated before cancelling."""

DEALLOCATABLE: Final = (State.ALLOCATED, State.MANIFESTED, State.MANIFEST_FAILED)
"""The documented states; of these a deallocated consignment becomes unallocated, and stays open."""

NEVER_CANCELLABLE: Final = (State.IN_TRANSIT_WAITING, State.PARTIALLY_DELIVERED, State.DELIVERED)
"""Later states in which the disputed table forbids cancelling too. It allows it in all others."""


def state_named(text: str) -> State | None:
    """Returns the state of a name, compared by its letters alone, as in `In Transit - Waiting`."""
    return _BY_LETTERS.get("".join(filter(str.isalpha, text)).lower())


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each state occurs at the start: `bounds` are the upper ends of its share of 64 bits."""

    states: tuple[State, ...]
    bounds: tuple[int, ...]


def parse_mix(text: str) -> Mix:
    """Reads weights such as `Allocated=90,Manifested=6,Cancelled=4`; they need not add up to anything.

    Raises:
        ValueError: what is wrong with the text.
    """
    weights: dict[State, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        state = state_named(name)
        if state is None:
            raise ValueError(f"unknown state {name.strip()!r} in the mix; write it as {DEFAULT_MIX}")
        if state in weights:
            raise ValueError(f"{state} is in the mix twice")
        weights[state] = _weight(state, number)
    total = sum(weights.values())
    if total <= 0:
        raise ValueError("the mix needs at least one weight above 0")
    shares = accumulate(weights.values())
    bounds = [int(share / total * (1 << 64)) for share in shares]
    last = max(place for place, weight in enumerate(weights.values()) if weight > 0)
    bounds[last:] = [1 << 64] * (len(bounds) - last)
    return Mix(tuple(weights), tuple(bounds))


def _weight(state: State, number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        raise ValueError(f"the weight of {state} in the mix is not a number: {number.strip()!r}") from None
    if not isfinite(weight) or weight < 0:
        raise ValueError(f"the weight of {state} in the mix must be 0 or more")
    return weight


def initial_state(seed: int, index: int, mix: Mix) -> State:
    """Returns the state in which the consignment at an index begins."""
    return mix.states[bisect_right(mix.bounds, draw(seed, "state", index))]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the platform allows. The vendor's documentation leaves each of these open.

    Attributes:
        deallocate_first: The older rule, by which an allocated consignment must be deallocated before.
        manifested_cancellable: The disputed table, by which most later states can be cancelled too.
        ready_to_ship_refused: One that is ready to ship must be set back before.
    """

    deallocate_first: bool = False
    manifested_cancellable: bool = False
    ready_to_ship_refused: bool = False


class Why(StrEnum):
    """Why something was not done to a consignment."""

    UNKNOWN = "consignment_not_found"
    CANCELLED = "consignment_already_cancelled"
    PASSING = "consignment_is_being_changed"
    ALLOCATED = "consignment_is_allocated"
    STATE = "invalid_consignment_state"


def refuse_cancelling(state: State, rules: Rules) -> Why | None:
    """Returns why a consignment in a state cannot be cancelled; None where it can."""
    if state is State.CANCELLED:
        return Why.CANCELLED
    if state in PASSING:
        return Why.PASSING
    if rules.deallocate_first and state in MUST_DEALLOCATE:
        return Why.ALLOCATED
    if rules.ready_to_ship_refused and state is State.READY_TO_SHIP:
        return Why.STATE
    if state in OPEN or (rules.manifested_cancellable and state not in NEVER_CANCELLABLE):
        return None
    return Why.STATE


def refuse_deallocating(state: State) -> Why | None:
    """Returns why a consignment in a state cannot be deallocated; None where it can."""
    return None if state in DEALLOCATABLE else Why.STATE


def refuse_setting_back(state: State) -> Why | None:
    """Returns why a consignment in a state cannot be set not ready to ship; None where it can."""
    return None if state is State.READY_TO_SHIP else Why.STATE
