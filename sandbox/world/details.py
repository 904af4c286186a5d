"""What is derived of a consignment beside its state: dates, places, weight, value.

Pure: the same for the same seed and index.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cancellist.sandbox.world.references import REFERENCES, draw, spell

SHIPPING_LOCATIONS: Final = ("Leeds_DC1", "Manchester_DC2", "London_DC3", "Glasgow_DC4", "Dublin_DC5")
CARRIER_SERVICES: Final = ("DPD_NEXTDAY", "RM_TRACKED48", "EVRI_STANDARD", "UPS_EXPRESS")
SOURCES: Final = ("Api", "Api", "Api", "FileUpload", "Ui")
DIRECTIONS: Final = ("Outbound", "Outbound", "Outbound", "Outbound", "Inbound")

FIRST: Final = datetime(2026, 8, 1, tzinfo=UTC)
"""No consignment was created before this time."""

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
    return FIRST + timedelta(seconds=draw(seed, "created", index) % _SPAN_S)


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


def package_reference(seed: int, index: int, place: int = 0) -> str:
    """Returns the platform's reference of one of its packages."""
    return "EP" + spell(draw(seed, "package", index * 1_000 + place) % REFERENCES).removeprefix("EC")


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
