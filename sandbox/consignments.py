"""States of consignments, the mix a world begins with, and the rules of cancelling. Pure."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import isfinite
from typing import Final

from sandbox.references import draw

DEFAULT_MIX: Final = "Allocated=84,ReadyToShip=6,Unallocated=2,Manifested=5,InTransit=1,Cancelled=2"
CANCELLED_MESSAGE: Final = "Consignment cancellation completed successfully"
DEALLOCATED_MESSAGE: Final = "Consignment deallocation completed successfully"


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
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"


STATES: Final = tuple(State)
STATE_BY_NAME: Final = {state.lower(): state for state in STATES}

# A failed manifest left the consignment unmanifested, so it can still be cancelled.
# Tuples are searched by identity; sets would hash an enumeration's member, which is slow.
OPEN: Final = (State.ALLOCATED, State.READY_TO_SHIP, State.UNALLOCATED, State.ALLOCATION_FAILED, State.MANIFEST_FAILED)
PASSING: Final = (State.ALLOCATING, State.MANIFESTING, State.CANCELLING)
HOLDS_ALLOCATION: Final = (State.ALLOCATED, State.READY_TO_SHIP, State.MANIFEST_FAILED)


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
        state = STATE_BY_NAME.get(name.strip().lower())
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


def not_found(reference: str) -> str:
    """Returns the platform's words for a reference it does not know."""
    return f"Consignment with reference {reference} could not be found"


def cancel_refusal(reference: str, state: State, *, deallocate_first: bool) -> str | None:
    """Returns why a consignment cannot be cancelled, in the platform's words; None where it can.

    Args:
        reference: Named in the words.
        state: The state it is in.
        deallocate_first: Whether the older rule holds, by which an allocated consignment has to be deallocated before.
    """
    if state in OPEN:
        if deallocate_first and state in HOLDS_ALLOCATION:
            return f"Consignment {reference} is {state} and must be deallocated before it can be cancelled"
        return None
    if state is State.CANCELLED:
        return f"Consignment {reference} has already been cancelled"
    if state in PASSING:
        return f"Consignment {reference} cannot be cancelled while it is {state}, please try again later"
    return f"Consignment {reference} cannot be cancelled because it is in state {state}"


def deallocate_refusal(reference: str, state: State) -> str | None:
    """Returns why a consignment cannot be deallocated, in the platform's words; None where it can."""
    if state in HOLDS_ALLOCATION:
        return None
    return f"Consignment {reference} cannot be deallocated because it is in state {state}"
