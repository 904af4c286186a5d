"""What webhooks go by."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from cancellist.config.serve_settings import split
from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.signature import parse_keys


def _keys(value: SecretStr) -> SecretStr:
    parse_keys(value.get_secret_value())
    return value


def _entry(value: str) -> str:
    Allowed.of([value])
    return value


class WebhookSettings(BaseModel):
    """The settings of webhooks."""

    webhook_key: Annotated[SecretStr, AfterValidator(_keys)] | None = Field(
        None, description="what the secrets of webhooks are made of; a secret; while it is changed: the new one,the old"
    )
    webhook_allow: Annotated[list[Annotated[str, AfterValidator(_entry)]], BeforeValidator(split)] = Field(
        default_factory=list,
        description="hosts or networks that webhooks may go to though they are not public, also by http; "
        "comma-separated",
    )

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys, the one that new secrets are made of first; none where none is set."""
        return parse_keys(self.webhook_key.get_secret_value()) if self.webhook_key else ()

    @property
    def webhook_allowed(self) -> Allowed:
        """Where webhooks may go beside public addresses."""
        return Allowed.of(self.webhook_allow)
