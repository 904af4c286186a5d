"""The platform's texts. Those of refusals are not documented, so there are several styles. Pure."""

from dataclasses import dataclass
from typing import Final

from cancellist.sandbox.answers.style import Style
from cancellist.sandbox.world.consignments import State, Why


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call does to consignments: its noun, its participle, the message of success, the code of an error."""

    noun: str
    participle: str
    done: str
    code: str


CANCELLING: Final = Operation(
    "cancellation",
    "cancelled",
    "Consignment cancellation completed successfully",
    "consignment_cannot_be_cancelled",
)
DEALLOCATING: Final = Operation(
    "deallocation",
    "deallocated",
    "Consignment deallocation completed successfully",
    "consignment_cannot_be_deallocated",
)
SETTING_BACK: Final = Operation(
    "set back to Allocated from Ready To Ship",
    "set not ready to ship",
    "Consignment set back to Allocated from Ready To Ship completed successfully",
    "consignment_cannot_be_set_not_ready_to_ship",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reference was refused, and the state it was in; None where the platform does not know it."""

    reference: str
    why: Why
    state: State | None = None


def refusal_words(operation: Operation, refusal: Refusal, style: Style) -> str:
    """Returns the platform's words for a refusal."""
    failed = f"Consignment {operation.noun} failed"
    match style:
        case Style.OWN:
            return _own(operation, refusal)
        case Style.GENERIC:
            return failed
        case Style.STATE if refusal.state is None:
            return f"{failed}: the consignment could not be found"
        case Style.STATE:
            return f"{failed}: the consignment is in state {refusal.state}"
        case Style.CODE:
            # One code for every state, as in many APIs: "already cancelled" has no code of its own.
            return Why.UNKNOWN if refusal.why is Why.UNKNOWN else Why.STATE


def not_found(reference: str) -> str:
    """Returns the platform's words for a reference it does not know."""
    return f"Consignment with reference {reference} could not be found"


def _own(operation: Operation, refusal: Refusal) -> str:
    named, state = f"Consignment {refusal.reference}", refusal.state
    match refusal.why:
        case Why.UNKNOWN:
            return not_found(refusal.reference)
        case Why.CANCELLED:
            return f"{named} has already been cancelled"
        case Why.PASSING:
            return f"{named} cannot be {operation.participle} while it is {state}, please try again later"
        case Why.ALLOCATED:
            return f"{named} is {state} and must be deallocated before it can be {operation.participle}"
        case Why.STATE:
            return f"{named} cannot be {operation.participle} because it is in state {state}"
