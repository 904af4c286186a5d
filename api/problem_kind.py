"""A kind of problem: what all that goes wrong in one way have in common."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        code: what programs tell it by; it stays.
        status: of the answer.
        title: what it is, in a few words.
        text: when it comes, and what to do.
        hint: what to do, where the error itself does not say it.
        retry: whether the same request may be met later: then `Retry-After` says when.
    """

    code: str
    status: int
    title: str
    text: str
    hint: str | None = None
    retry: bool = False

    @property
    def type(self) -> str:
        """Its `type`."""
        return f"/problems/{self.code}"
