"""Reinstatement: a new consignment with the details of one that was cancelled.

Cancelled is final, so the only way back is Create Consignment. It makes another consignment each time it is called. So
each new one carries a marker that names the old one: where an answer is lost, the marker shows whether it was created.
Price, label and pickup of the new one are the platform's to make, and may differ.

Source of the fields: the platform's public guide and its example of Create Consignment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cancellist.jobs.escaping import shown
from cancellist.jobs.responses.answer_forms import field, letters
from cancellist.jobs.safety.consignment_record import Standing, standing_of
from cancellist.jobs.safety.snapshot import Entry
from cancellist.jobs.times import parse_when_ms

MARKER: Final = "cancellist_reinstates"
"""The `KeyValue` of the marker among the metadata of a new consignment."""
_TAKEN: Final = (
    "ConsignmentReferenceProvidedByCustomer", "Source", "Direction", "Tags", "ShippingDate", "RequestedDeliveryDate",
    "CustomsDocumentation", "MetaData", "Addresses", "Packages",
)  # fmt: skip
"""What Create Consignment takes."""
_MADE_BY_PLATFORM: Final = frozenset(map(letters, (
    "Reference", "ConsignmentState", "DateCreated", "ConsignmentLegs", "CollectionDate", "DateDelivered",
    "FirstAttemptedDeliveryDate", "DateReturned", "DateShipped", "DateCollected", "AttemptedDeliveryDate", "Allocation",
    "FailedAllocation", "LabelCount", "LabelsPrinted", "DateLabelsWereFirstPrinted", "IsLate", "LateForCustomer",
    "CustomerReference", "Weight", "Value", "EarliestDeliveryDate", "LatestDeliveryDate", "ApiLink", "ApiLinks",
)))  # fmt: skip
"""What the platform makes of a consignment, or adds up: it makes them anew."""
_OF_A_PACKAGE: Final = frozenset(map(letters, ("Reference", "ConsignmentLegs", "Charges")))
_DAY_MS: Final = 86_400_000


class Fate(StrEnum):
    """What becomes of a consignment that is to be reinstated."""

    CREATED = "created"
    ALREADY_CREATED = "already_created"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    PENDING = "pending"
    NOT_CANCELLED = "not_cancelled"
    CANCELLED_BEFORE = "cancelled_before"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    NO_RECORD = "no_record"


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """What became of one consignment.

    Attributes:
        reference: the old one.
        new: the new one, where it is known.
        why: the reason, where it was not created.
    """

    reference: str
    fate: Fate
    new: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """What Create Consignment is to be given for a consignment.

    Attributes:
        body: the request, without the marker.
        lacks: what the record lacks of the least that is needed; empty where nothing is lacking.
        passed: the dates of the record that have passed, and are left out.
        left_out: names of other fields of the record that have a value, and of which nobody knows whether they are
            taken.
    """

    body: Mapping[str, Any]
    lacks: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def creation_of(record: Mapping[str, Any], now_ms: int) -> Creation:
    """What to create for the record of a consignment.

    A date that has passed by more than a day is left out: no consignment can be shipped or delivered then.
    """
    found = {name: _given(name, field(record, name)) for name in _TAKEN}
    body = {name: value for name, value in found.items() if value not in (None, "", [], {})}
    passed = [name for name in ("ShippingDate", "RequestedDeliveryDate") if _is_past(body.get(name), now_ms)]
    known = _MADE_BY_PLATFORM | frozenset(map(letters, _TAKEN))
    left_out = [shown(str(name)) for name, value in record.items() if letters(str(name)) not in known and _bare(value)]
    return Creation(
        {name: value for name, value in body.items() if name not in passed},
        tuple(_lacking(body)),
        tuple(passed),
        tuple(sorted(left_out)),
    )


def marked(body: Mapping[str, Any], reference: str, attempt: str) -> dict[str, Any]:
    """A request with the marker: it names the old consignment and the attempt."""
    marker = {"KeyValue": MARKER, "StringValue": f"{reference} {attempt}"}
    return {**body, "MetaData": [*body.get("MetaData", []), marker]}


def is_marked(record: Mapping[str, Any], reference: str) -> bool:
    """Whether a consignment was created to reinstate this one, by whichever attempt."""
    return any(text.partition(" ")[0] == reference for text in _markers(record))


def has_marker(record: Mapping[str, Any]) -> bool:
    """Whether a consignment was created to reinstate another."""
    return any(True for _ in _markers(record))


def differs(body: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    """What a new consignment has otherwise than it was asked for; None where what matters most is the same.

    That is the customer's reference, the number of packages, and where it goes. The platform may write the rest in
    another form.
    """
    name = "ConsignmentReferenceProvidedByCustomer"
    if _folded(body.get(name)) != _folded(field(record, name)):
        return "its customer's reference"
    if len(_objects(body.get("Packages"))) != len(_objects(field(record, "Packages"))):
        return "the number of its packages"
    wanted, found = _destination(body), _destination(record)
    for part in ("AddressLine1", "Postcode"):
        if _folded(field(wanted, part)) != _folded(field(found, part)):
            return "its destination"
    return None


def was_cancelled(entry: Entry) -> bool:
    """Whether the consignment was cancelled already before the job, so that the job has not done it."""
    state = field(entry.record, "ConsignmentState")
    is_cancelled = isinstance(state, str) and standing_of(state) is Standing.ALREADY_CANCELLED
    return is_cancelled and not entry.called


def rank(entry: Entry) -> tuple[bool, bool, int]:
    """How well an entry shows its consignment as it was before a job acted on it; the greatest of them does best.

    That is one of a job that did not find it cancelled; then one from before a call that may have acted, the newest of
    them; where there is none, the oldest comes nearest (`snapshot.chosen`).
    """
    return not was_cancelled(entry), not entry.called, -entry.at_ms if entry.called else entry.at_ms


def search_filters(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Filters that find what was created by a request: by the customer's reference, or where it goes."""
    own, postcode = body.get("ConsignmentReferenceProvidedByCustomer"), field(_destination(body), "Postcode")
    if isinstance(own, str) and own.strip():
        return (("ReferenceProvidedByCustomer", own),)
    return (("PostCode", postcode),) if isinstance(postcode, str) and postcode.strip() else ()


def addressee(body: Mapping[str, Any]) -> str:
    """Who gets it and where, as text to show; empty where it says neither."""
    goes_to = _destination(body)
    contact = field(goes_to, "Contact")
    parts = [field(contact, name) for name in ("FirstName", "LastName")] if isinstance(contact, dict) else []
    name = " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    town = field(goes_to, "Town")
    return shown(", ".join(filter(None, (name, town if isinstance(town, str) else ""))))


def _given(name: str, value: object) -> Any:
    """A value of a record as a request has it."""
    bare = _bare(value)
    if name == "Packages":
        return [_without(package, _OF_A_PACKAGE) for package in _objects(bare)]
    if name == "MetaData":
        return [one for one in _objects(bare) if field(one, "KeyValue") != MARKER]
    return bare


def _without(value: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    kept = {name: inner for name, inner in value.items() if letters(name) not in names}
    return {
        name: [_without(one, names) if isinstance(one, dict) else one for one in inner]
        if letters(name) == "items" and isinstance(inner, list)
        else inner
        for name, inner in kept.items()
    }


def _bare(value: object) -> Any:
    """A value without what is null or an empty list in it, however deep."""
    if isinstance(value, Mapping):
        inner = {str(name): _bare(one) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one is not None and one != []} or None
    if isinstance(value, list):
        return [one for one in map(_bare, value) if one is not None]
    return value


def _lacking(body: Mapping[str, Any]) -> Iterator[str]:
    packages = _objects(body.get("Packages"))
    if not packages:
        yield "it has no package"
    for place, package in enumerate(packages, 1):
        sizes = field(package, "Weight") and field(package, "Dimensions")
        if not (field(package, "PackageSizeReference") or sizes):
            yield f"package {place} has neither weight and dimensions nor a size"
    kinds = {str(field(one, "AddressType")).lower() for one in _objects(body.get("Addresses"))}
    for kind in ("origin", "destination"):
        if kind not in kinds:
            yield f"it has no address of its {kind}"


def _is_past(value: object, now_ms: int) -> bool:
    text = field(value, "Date") if isinstance(value, dict) else value
    for written in (text, f"{text}Z") if isinstance(text, str) else ():  # some dates have no offset
        try:
            return parse_when_ms(written, now_ms=now_ms) < now_ms - _DAY_MS
        except ValueError:
            continue
    return False


def _markers(record: Mapping[str, Any]) -> Iterator[str]:
    for one in _objects(field(record, "MetaData")):
        text = field(one, "StringValue")
        if field(one, "KeyValue") == MARKER and isinstance(text, str):
            yield text.strip()


def _destination(body: Mapping[str, Any]) -> Mapping[str, Any]:
    found = [
        one for one in _objects(field(body, "Addresses")) if str(field(one, "AddressType")).lower() == "destination"
    ]
    return found[0] if found else {}


def _objects(value: object) -> Sequence[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _folded(value: object) -> str:
    return "".join(filter(str.isalnum, value)).casefold() if isinstance(value, str) else ""
