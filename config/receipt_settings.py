"""What receipts go by."""

from pydantic import BaseModel, Field

from cancellist.config.value_types import HomePath


class ReceiptSettings(BaseModel):
    """The settings of receipts."""

    receipt_key_file: HomePath | None = Field(
        None,
        description="file of the private key that signs receipts, which only its owner may read; unset: receipts are "
        "not signed",
        examples=["/run/secrets/receipt.pem"],
    )
