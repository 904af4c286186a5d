"""What is derived of a consignment beside its state: dates, addresses, packages.

Pure: the same for the same seed and index.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sandbox.references import draw, reference

SHIPPING_LOCATIONS: Final = ("Leeds_DC1", "Manchester_DC2", "London_DC3", "Glasgow_DC4", "Dublin_DC5")
CARRIER_SERVICES: Final = ("DPD_NEXTDAY", "RM_TRACKED48", "EVRI_STANDARD", "UPS_EXPRESS")
SOURCES: Final = ("Api", "Api", "Api", "FileUpload", "Ui")
DIRECTIONS: Final = ("Outbound", "Outbound", "Outbound", "Outbound", "Inbound")

_FIRST: Final = datetime(2026, 8, 1, tzinfo=UTC)
_SPAN_S: Final = 90 * 86_400


class Town(NamedTuple):
    """Where a consignment goes."""

    name: str
    region: str
    postcode: str
    country: str


TOWNS: Final = (
    Town("Leeds", "West Yorkshire", "LS1 4AP", "GB"),
    Town("Bristol", "Somerset", "BS1 5TY", "GB"),
    Town("Cardiff", "South Glamorgan", "CF10 1EP", "GB"),
    Town("Dublin", "Leinster", "D02 X285", "IE"),
    Town("Lyon", "Rhône", "69002", "FR"),
    Town("Köln", "Nordrhein-Westfalen", "50667", "DE"),
)


def created_at(seed: int, index: int) -> datetime:
    """Returns when it was created, in the 90 days from 1 August 2026."""
    return _FIRST + timedelta(seconds=draw(seed, "created", index) % _SPAN_S)


def ships_at(seed: int, index: int) -> datetime:
    """Returns when it is to be shipped: one to three days after it was created."""
    return created_at(seed, index) + timedelta(days=1 + draw(seed, "ships", index) % 3)


def delivery_at(seed: int, index: int) -> datetime:
    """Returns when its delivery was asked for and is scheduled: one to five days after it ships."""
    return ships_at(seed, index) + timedelta(days=1 + draw(seed, "delivery", index) % 5)


def shipping_location(seed: int, index: int) -> str:
    """Returns the reference of the place it is shipped from."""
    return SHIPPING_LOCATIONS[draw(seed, "location", index) % len(SHIPPING_LOCATIONS)]


def town(seed: int, index: int) -> Town:
    """Returns where it goes."""
    return TOWNS[draw(seed, "town", index) % len(TOWNS)]


def customer_reference(seed: int, index: int) -> str:
    """Returns the customer's own reference."""
    return f"ORD-{draw(seed, 'order', 0) % 900 + 100}-{index:08d}"


def tracking_reference(seed: int, index: int) -> str:
    """Returns the carrier's reference."""
    return f"TRK{draw(seed, 'tracking', index) % 10**12:012d}"


def carrier_service(seed: int, index: int) -> str:
    """Returns the carrier service it was allocated to."""
    return CARRIER_SERVICES[draw(seed, "carrier", index) % len(CARRIER_SERVICES)]


def source(seed: int, index: int) -> str:
    """Returns how it was entered."""
    return SOURCES[draw(seed, "source", index) % len(SOURCES)]


def direction(seed: int, index: int) -> str:
    """Returns whether it goes out or comes back."""
    return DIRECTIONS[draw(seed, "direction", index) % len(DIRECTIONS)]


def labels_printed(seed: int, index: int) -> bool:
    """Returns whether its labels were printed."""
    return bool(draw(seed, "labels", index) % 2)


def weight_g(seed: int, index: int) -> int:
    """Returns its weight in grams."""
    return 100 + draw(seed, "weight", index) % 24_900


def value_pence(seed: int, index: int) -> int:
    """Returns its value in hundredths of a pound."""
    return 99 + draw(seed, "value", index) % 49_901


def document(seed: int, index: int, state: str, given: Mapping[str, object], created: datetime) -> dict[str, object]:
    """Returns the whole record as Get Consignment shows it; what Create Consignment was given stands as given."""
    weight = {"Value": weight_g(seed, index) / 1000, "Unit": "Kg"}
    value = {"Amount": value_pence(seed, index) / 100, "Currency": "GBP"}
    shown: dict[str, object] = {
        "ShippingDate": ships_at(seed, index).isoformat(),
        "RequestedDeliveryDate": delivery_at(seed, index).isoformat(),
        "ConsignmentReferenceProvidedByCustomer": customer_reference(seed, index),
        "Source": source(seed, index),
        "Direction": direction(seed, index),
        "Tags": [],
        "MetaData": [],
        "Weight": weight,
        "Value": value,
        "CustomsDocumentation": None,
        "Addresses": _addresses(seed, index),
        "Packages": [_package(index, weight, value)],
    }
    own: dict[str, object] = {
        "Reference": reference(seed, index),
        "ConsignmentState": state,
        "DateCreated": created.isoformat(),
    }
    return own | shown | {name: value for name, value in given.items() if name not in own}


def _package(index: int, weight: dict[str, object], value: dict[str, object]) -> dict[str, object]:
    return {
        "Reference": f"EP-{index:012d}",
        "Weight": weight,
        "Dimensions": {"Unit": "Cm", "Length": 30, "Width": 20, "Height": 10},
        "Description": "Parcel",
        "Value": value,
        "Items": [],
        "MetaData": [],
    }


def _addresses(seed: int, index: int) -> list[dict[str, object]]:
    place, origin = town(seed, index), shipping_location(seed, index)
    return [
        {
            "AddressType": "Origin",
            "Contact": {"FirstName": "Goods", "LastName": "Out"},
            "AddressLine1": "1 Depot Road",
            "Town": origin.partition("_")[0],
            "Country": {"IsoCode": {"TwoLetterCode": "IE" if origin.startswith("Dublin") else "GB"}},
            "ShippingLocationReference": origin,
        },
        {
            "AddressType": "Destination",
            "Contact": {"FirstName": "Sam", "LastName": f"Customer {index}"},
            "AddressLine1": f"{index % 200 + 1} High Street",
            "AddressLine2": None,
            "AddressLine3": None,
            "Town": place.name,
            "Region": place.region,
            "Postcode": place.postcode,
            "Country": {"IsoCode": {"TwoLetterCode": place.country}},
            "ShippingLocationReference": None,
        },
    ]
