"""The documents of the platform's own calls, as the description of the API has them."""

from pydantic import Field

from cancellist.api.schemas import JsonDocument


class CancelledItem(JsonDocument):
    """What became of one reference of a list, as the platform tells it."""

    IsSuccess: bool = Field(description="it is cancelled for sure")
    Message: str
    Data: str = Field(description="the reference, as it was asked")
    ApiLinks: None


class PlatformDetail(JsonDocument):
    """A part of an error of the platform."""

    Code: str
    Target: str
    Message: str


class PlatformError(JsonDocument):
    """An error in the platform's form; also what tells that a cancellation goes on."""

    Code: str
    Message: str
    CorrelationId: str = Field(description="as in the header X-Request-ID, and in the log")
    Details: list[PlatformDetail]


class GatewayError(JsonDocument):
    """An error in the form of the gateway before the platform."""

    statusCode: int  # noqa: N815 - the name on the wire
    message: str
