"""What each endpoint of the platform does and answers, as its public guide describes it."""

from collections.abc import Callable
from functools import partial

from cancellist.sandbox.answers.answers import HTML, LOGIN_PAGE, Answer, detail, error, gateway_error
from cancellist.sandbox.answers.style import Style
from cancellist.sandbox.answers.words import CANCELLING, DEALLOCATING, SETTING_BACK, Operation, Refusal, refusal_words
from cancellist.sandbox.call import Ask, link
from cancellist.sandbox.options import Settings
from cancellist.sandbox.routes import LISTS, Endpoint
from cancellist.sandbox.world import details, searches
from cancellist.sandbox.world.consignments import Rules, Why
from cancellist.sandbox.world.creation import create
from cancellist.sandbox.world.world import Named, World

Doing = Callable[[Named], Refusal | None]


def refuse_list(ask: Ask, limit: int, distinct: int) -> Answer | None:
    """Returns the refusal of a list that is too long or names a reference twice; None for any other call."""
    if ask.endpoint not in LISTS:
        return None
    if len(ask.references) > limit:
        words = f"The list may not have more than {limit} consignment references"
        return error(413, "list_too_long", words, call=ask.call)
    if distinct < len(ask.references):
        return error(400, "duplicate_references", "A consignment reference is in the list twice", call=ask.call)
    return None


def act(world: World, settings: Settings, ask: Ask, now: float) -> Answer:
    """Does what a call asks at a time, and returns the answer."""
    style = settings.refusal_words
    match ask.endpoint:
        case Endpoint.CANCEL_LIST:
            return _poisoned(settings, ask) or _items(ask, CANCELLING, _canceller(world, settings, ask, now), style)
        case Endpoint.CANCEL:
            return _alone(ask, CANCELLING, _canceller(world, settings, ask, now), style)
        case Endpoint.DEALLOCATE_LIST:
            return _items(ask, DEALLOCATING, partial(world.deallocate, at=now), style)
        case Endpoint.DEALLOCATE:
            return _alone(ask, DEALLOCATING, partial(world.deallocate, at=now), style)
        case Endpoint.SET_NOT_READY:
            return _items(ask, SETTING_BACK, partial(world.set_back, at=now), style)
        case Endpoint.LOGIN:
            return Answer(200, body=LOGIN_PAGE, content_type=HTML)
        case Endpoint.WRONG_METHOD:
            return gateway_error(405, "Method Not Allowed")
        case Endpoint.UNKNOWN:
            return gateway_error(404, "Resource not found")
        case _:
            return _look(world, ask)


def _look(world: World, ask: Ask) -> Answer:
    """Answers a call that changes no consignment."""
    match ask.endpoint:
        case Endpoint.STATUS:
            return _read(world, ask, _status)
        case Endpoint.CONSIGNMENT:
            return _read(world, ask, _document)
        case Endpoint.SEARCH:
            return searches.references(world, ask)
        case Endpoint.PAGE:
            return searches.page(world, ask)
        case Endpoint.SUMMARY:
            return searches.summary(world, ask)
        case _:
            return create(world, ask)


def _canceller(world: World, settings: Settings, ask: Ask, now: float) -> Doing:
    rules = Rules(
        deallocate_first=settings.deallocate_first,
        manifested_cancellable=settings.manifested_cancellable,
        ready_to_ship_refused=settings.ready_to_ship_refused,
    )
    return partial(world.cancel, call=ask.call, rules=rules, at=now)


def _poisoned(settings: Settings, ask: Ask) -> Answer | None:
    if settings.poison is None or all(index is not None for _, index in ask.references):
        return None
    code, words = "consignment_not_found", "At least one of the consignments could not be found"
    return error(settings.poison, code, words, call=ask.call)


def _items(ask: Ask, operation: Operation, do: Doing, style: Style) -> Answer:
    """Does something to each reference and answers one item for each, in their order."""
    refusals = [(named[0], do(named)) for named in ask.references]
    return Answer(
        200,
        [
            {
                "IsSuccess": refusal is None,
                "Message": operation.done if refusal is None else refusal_words(operation, refusal, style),
                "Data": name,
                "ApiLinks": None,
            }
            for name, refusal in refusals
        ],
    )


def _alone(ask: Ask, operation: Operation, do: Doing, style: Style) -> Answer:
    """Does something to one consignment and answers without a body, or the platform's error."""
    refusal = do(ask.references[0])
    return Answer(200) if refusal is None else _refused(ask, operation, refusal, style)


def _refused(ask: Ask, operation: Operation, refusal: Refusal, style: Style) -> Answer:
    words, unknown = refusal_words(operation, refusal, style), refusal.why is Why.UNKNOWN
    reason = Why.UNKNOWN if unknown else Why.STATE
    told = style in {Style.OWN, Style.STATE}
    about = [detail(reason, "consignmentReference", words)] if told else []
    return error(404 if unknown else 400, Why.UNKNOWN if unknown else operation.code, words, ask.call, about)


def _read(world: World, ask: Ask, show: Callable[[World, Ask, int], dict[str, object]]) -> Answer:
    text, index = ask.references[0]
    if index is not None:
        return Answer(200, show(world, ask, index))
    return _refused(ask, CANCELLING, Refusal(text, Why.UNKNOWN), Style.OWN)


def _document(world: World, ask: Ask, index: int) -> dict[str, object]:
    return world.document(index, ask.as_of)


def _status(world: World, ask: Ask, index: int) -> dict[str, object]:
    name = world.reference(index)
    return {
        "ConsignmentReferenceForAllLegsAssignedByMpd": name,
        "Status": world.state_at(index, ask.as_of),
        "ExpectedDeliveryDate": details.delivery_at(world.seed, index).isoformat(),
        "ApiLink": link(ask, name),
    }
