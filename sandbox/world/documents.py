"""Whole records and summaries of consignments, in the shapes of the vendor's examples. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cancellist.sandbox.world import details
from cancellist.sandbox.world.consignments import State
from cancellist.sandbox.world.references import reference

_UNALLOCATED: Final = (State.UNALLOCATED, State.ALLOCATING, State.ALLOCATION_FAILED)
_NAMES: Final = {"GB": "United Kingdom", "IE": "Ireland", "FR": "France", "DE": "Germany"}
_NOT_YET: Final = (
    "CollectionDate",
    "DateDelivered",
    "FirstAttemptedDeliveryDate",
    "DateReturned",
    "DateShipped",
    "DateCollected",
    "AttemptedDeliveryDate",
)
_CONTACT: Final = (
    "Reference",
    "Title",
    "FirstName",
    "LastName",
    "Position",
    "Telephone",
    "Mobile",
    "LandLine",
    "Email",
)
_ADDRESS: Final = (
    "AddressType",
    "ShopLocationReference",
    "Contact",
    "CompanyName",
    "ShippingLocationReference",
    "CustomerName",
    "AddressLine1",
    "AddressLine2",
    "AddressLine3",
    "Town",
    "Region",
    "Postcode",
    "Country",
    "RegionCode",
    "SpecialInstructions",
    "LatLong",
)
_PLATFORMS_OWN: Final = ("Reference", "ConsignmentState", "DateCreated", "Allocation")
"""What a caller cannot give."""


def seeded(seed: int, index: int, state: State) -> dict[str, object]:
    """Returns the whole record of a consignment that was there at the start."""
    weight, value = _weight(seed, index), _money(details.value_pence(seed, index) / 100)
    return _blank(seed, index, state, details.created_at(seed, index)) | {
        "Allocation": None if state in _UNALLOCATED else _allocation(seed, index),
        "Source": details.source(seed, index),
        "LabelsPrinted": details.labels_printed(seed, index),
        "Weight": weight,
        "Value": value,
        "Direction": details.direction(seed, index),
        "ShippingDate": details.ships_at(seed, index).isoformat(),
        "RequestedDeliveryDate": _requested(details.delivery_at(seed, index)),
        "EarliestDeliveryDate": details.delivery_at(seed, index).isoformat(),
        "LatestDeliveryDate": (details.delivery_at(seed, index) + timedelta(hours=23)).isoformat(),
        "ConsignmentReferenceProvidedByCustomer": details.customer_reference(seed, index),
        "Addresses": _addresses(seed, index),
        "Packages": [_package(seed, index, 0) | _parcel(weight, value)],
    }


def created(seed: int, index: int, state: State, given: Mapping[str, Any], at: datetime) -> dict[str, object]:
    """Returns the whole record of a consignment that a call created: what was given stands as it was given."""
    packages = [_package(seed, index, place) | package for place, package in enumerate(objects(given, "Packages"))]
    shown = _blank(seed, index, state, at) | {
        "Allocation": None if state in _UNALLOCATED else _allocation(seed, index),
        "Weight": {"Value": _total(packages, "Weight", "Value"), "Unit": "Kg"},
        "Value": _money(_total(packages, "Value", "Amount")),
    }
    own = {name: shown[name] for name in _PLATFORMS_OWN}
    nested = {"Packages": packages, "Addresses": [_address(**address) for address in objects(given, "Addresses")]}
    return shown | dict(given) | own | nested


def summary(document: Mapping[str, Any], link: Mapping[str, object]) -> dict[str, object]:
    """Returns what a search shows of a whole record."""
    goes_to = [address for address in document["Addresses"] if address.get("AddressType") == "Destination"]
    to = goes_to[0] if goes_to else {}
    same = (
        "Source", "LabelsPrinted", "DateLabelsWereFirstPrinted", "IsLate", "CollectionDate", "AttemptedDeliveryDate",
        "Value", "Weight", "Reference", "ConsignmentReferenceProvidedByCustomer", "DateCreated", "ShippingDate",
    )  # fmt: skip
    return {name: document[name] for name in same} | {
        "MpdCarrierServiceName": inside(document, "Allocation", "MpdCarrierServiceName"),
        "MpdCarrierServiceGroupName": None,
        "MpdCarrierServiceGroupReference": "",
        "DestinationAddressLine1": to.get("AddressLine1"),
        "DestinationAddressTown": to.get("Town"),
        "DestinationAddressPostcode": to.get("Postcode"),
        "DestinationAddressCountry": inside(to, "Country", "IsoCode", "TwoLetterCode"),
        "DestinationShippingLocationReference": to.get("ShippingLocationReference"),
        "RequestedDeliveryDate": inside(document, "RequestedDeliveryDate", "Date"),
        "RequestedDeliveryDateIsToBeExactlyOnTheDateSpecified": inside(
            document, "RequestedDeliveryDate", "IsToBeExactlyOnTheDateSpecified"
        ),
        "EstimatedDeliveryDate": inside(document, "RequestedDeliveryDate", "Date"),
        "ShippingTerms": None,
        "FailedAllocationMessage": None,
        "DeliveryDate": None,
        "ApiLink": link,
        "FailedManifestMessage": None,
        "FailedManifestTimeStamp": None,
        "State": document["ConsignmentState"],
        "MpdCarrierReference": None,
        "MpdCarrierServiceReference": inside(document, "Allocation", "MpdCarrierServiceReference"),
        "AllocationDate": inside(document, "Allocation", "AllocationDate"),
        "ShippedDate": document["DateShipped"],
    }


def objects(given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Returns the objects of a list that a caller gave; none where it is no list."""
    value = given.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def inside(given: object, *names: str) -> Any:
    """Returns what stands inside nested objects; None where something on the way is missing or no object."""
    for name in names:
        given = given.get(name) if isinstance(given, Mapping) else None
    return given


def _blank(seed: int, index: int, state: State, at: datetime) -> dict[str, object]:
    """Returns the record of a consignment about which nothing else is known."""
    return {
        "ConsignmentLegs": [],
        **dict.fromkeys(_NOT_YET),
        "MetaData": [],
        "Allocation": None,
        "FailedAllocation": None,
        "Source": "Api",
        "LabelCount": 0,
        "LabelsPrinted": False,
        "DateLabelsWereFirstPrinted": None,
        "IsLate": False,
        "LateForCustomer": False,
        "CustomerReference": "338a3524-0000-4000-8000-000000000001",
        "Weight": None,
        "Value": None,
        "CustomsDocumentation": None,
        "Direction": "Outbound",
        "Tags": [],
        "Reference": reference(seed, index),
        "ConsignmentState": state,
        "DateCreated": at.isoformat(),
        "ShippingDate": None,
        "RequestedDeliveryDate": None,
        "EarliestDeliveryDate": None,
        "LatestDeliveryDate": None,
        "ConsignmentReferenceProvidedByCustomer": "",
        "Addresses": [],
        "Packages": [],
    }


def _weight(seed: int, index: int) -> dict[str, object]:
    return {"Value": details.weight_g(seed, index) / 1000, "Unit": "Kg"}


def _money(amount: float) -> dict[str, object]:
    return {"Amount": amount, "Currency": {"Name": "Pound Sterling", "IsoCode": "GBP"}}


def _requested(when: datetime) -> dict[str, object]:
    window = {"Start": "00:00:00", "End": "00:00:00", "UtcOffset": None}
    return {"Date": when.isoformat(), "DeliveryWindow": window, "IsToBeExactlyOnTheDateSpecified": False}


def _allocation(seed: int, index: int) -> dict[str, object]:
    service = details.carrier_service(seed, index)
    tax = {"Reference": None, "CountryIsoCode": "GB", "Type": "Standard", "Rate": 0.0}
    currency = {"Name": None, "IsoCode": "GBP"}
    return {
        "CarrierServiceGroupReference": "",
        "MpdCarrierServiceGroupName": None,
        "MpdCarrierServiceReference": f"MPD_{service}",
        "MpdCarrierServiceName": service,
        "AllocationDate": (details.created_at(seed, index) + timedelta(minutes=1)).isoformat(),
        "Price": {"Net": 4.99, "Gross": 4.99, "TaxRate": tax, "VatAmount": 0.0, "Currency": currency},
    }


def _package(seed: int, index: int, place: int) -> dict[str, object]:
    return {
        "ConsignmentLegs": [],
        "Items": [],
        "Charges": [],
        "Reference": details.package_reference(seed, index, place),
        "PackageReferenceProvidedByCustomer": "",
        "Weight": None,
        "Dimensions": None,
        "Description": None,
        "Value": None,
        "PackageSizeReference": None,
        "Barcode": None,
        "MetaData": [],
    }


def _parcel(weight: Mapping[str, object], value: Mapping[str, object]) -> dict[str, object]:
    size = {"Unit": "Cm", "Width": 20.0, "Length": 30.0, "Height": 10.0}
    return {"Description": "Parcel", "Weight": weight, "Value": value, "Dimensions": size}


def _country(code: str) -> dict[str, object]:
    return {"Name": _NAMES[code], "IsoCode": {"TwoLetterCode": code}}


def _address(**given: Any) -> dict[str, object]:
    """Returns an address with every field; its contact too, where one was given."""
    contact = given.get("Contact")
    if isinstance(contact, Mapping):
        given["Contact"] = dict.fromkeys(_CONTACT) | dict(contact)
    return dict.fromkeys(_ADDRESS) | {"IsCached": False} | given


def _addresses(seed: int, index: int) -> list[dict[str, object]]:
    place, origin = details.town(seed, index), details.shipping_location(seed, index)
    return [
        _address(
            AddressType="Origin",
            Contact={"FirstName": "Goods", "LastName": "Out", "Email": "goods.out@example.com", "LandLine": ""},
            ShippingLocationReference=origin,
            AddressLine1="1 Depot Road",
            Town=origin.partition("_")[0],
            Country=_country("IE" if origin.startswith("Dublin") else "GB"),
        ),
        _address(
            AddressType="Destination",
            Contact={
                "Title": "Mx",
                "FirstName": "Sam",
                "LastName": f"Customer {index}",
                "Telephone": "01632 960000",
                "Email": f"sam.customer.{index}@example.com",
            },
            AddressLine1=f"{index % 200 + 1} High Street",
            Town=place.name,
            Region=place.region,
            Postcode=place.postcode,
            Country=_country(place.country),
        ),
    ]


def _total(packages: Sequence[Mapping[str, Any]], name: str, part: str) -> float:
    """Adds up a measure of the packages; one that was given in no known form counts nothing."""
    measures = [package.get(name) for package in packages]
    amounts = [measure.get(part) for measure in measures if isinstance(measure, Mapping)]
    return sum(amount for amount in amounts if isinstance(amount, int | float))
