"""Where records of consignments are kept before they are cancelled."""

from pydantic import BaseModel, Field

from cancellist.config.value_types import HomePath, Span


class SnapshotSettings(BaseModel):
    """The settings of snapshots."""

    snapshot_dir: HomePath | None = Field(
        None,
        description="folder in which workers keep the records of consignments; it must be there. Unset: a job that "
        "wants them kept is left to other workers",
        examples=["/var/lib/cancellist/snapshots"],
    )
    snapshot_key_file: HomePath | None = Field(
        None,
        description="file of the key that encrypts them, which only its owner may read; `cancellist snapshots "
        "--new-key FILE` makes one. Without the key nobody can read them",
        examples=["/run/secrets/snapshot.key"],
    )
    snapshot_keep: Span = Field(90 * 86400.0, description="how long the records are kept")
