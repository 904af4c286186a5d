"""How many open consignments an account has, as the platform's search counts them."""

from typing import Final

from cancellist.jobs.responses.answer import CLIENT_ERRORS, Answer, Failure, of_platform
from cancellist.jobs.responses.answer_forms import field
from cancellist.jobs.responses.search_filters import STATE
from cancellist.jobs.responses.status_read import KNOWN_STATES
from cancellist.jobs.safety.consignment_record import Standing, standing_of

OPEN_STATES: Final = tuple(state for state in KNOWN_STATES if standing_of(state) is Standing.OPEN)
NO_STATE: Final = "CANCELLIST-MATCHES-NOTHING"
"""A state that no consignment has. A platform that finds some all the same ignores the filter."""
_OLDEST_S: Final = 60.0


def filters_of(state: str) -> list[tuple[str, str]]:
    """The filters of a search for consignments in a state."""
    return [(STATE, state)]


def count_of(answer: Answer | Failure) -> int | str:
    """How many consignments match, or why that is not known."""
    match answer:
        case Failure(reason=reason):
            return f"the search got no answer ({reason})"
        case Answer(age_s=age_s) if age_s > _OLDEST_S:
            return f"the answer to the search is {age_s:.0f} s old"
        case Answer(status=404, body=body) if of_platform(body):
            return 0
        case Answer(status=200, body=dict() as body):
            count = field(body, "Count")
            if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                return count
            return "the answer to the search has no count"
        case Answer(status=200):
            return "the answer to the search has no count"
        case Answer(status=status):
            return f"the search was answered HTTP {status}"


def honours_state(answer: Answer | Failure) -> bool:
    """Whether a search for a state that there is none of shows that the platform honours the filter."""
    refused = isinstance(answer, Answer) and answer.status == CLIENT_ERRORS and of_platform(answer.body)
    return refused or count_of(answer) == 0
