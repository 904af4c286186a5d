"""One running sandbox without its wires: the world, the settings that hold now, the traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from math import ceil
from random import Random
from typing import Final

from sandbox.answers import Answer, gateway_error
from sandbox.consignments import parse_mix
from sandbox.distortions import distort
from sandbox.endpoints import Ask, act
from sandbox.faults import Acts, Fault, FaultKind, Scope, acts, decide, parse_faults
from sandbox.options import SandboxOptions, changed
from sandbox.references import chance
from sandbox.routes import Endpoint
from sandbox.traffic import Gate, Traffic
from sandbox.world import Named, World

_SCOPES: Final = {
    Endpoint.CANCEL_LIST: Scope.LIST,
    Endpoint.CANCEL: Scope.SINGLE,
    Endpoint.DEALLOCATE_LIST: Scope.DEALLOCATE,
    Endpoint.STATUS: Scope.READS,
    Endpoint.CONSIGNMENT: Scope.READS,
    Endpoint.SEARCH: Scope.SEARCH,
}
_RETRY_LATER: Final = frozenset({429, 503})


class Simulation:
    """The platform's behaviour: what a call does, how long it takes, what goes wrong with it."""

    def __init__(self, options: SandboxOptions, started_at: float) -> None:
        self.options = options
        self.settings = options.settings()
        self.world = World(options.seed, options.consignments, parse_mix(options.mix))
        self.traffic = Traffic(started_at)
        self.gate = Gate()
        self._plans = parse_faults(self.settings.faults)

    def change(self, changes: Mapping[str, object]) -> None:
        """Changes settings from the next call on.

        Raises:
            ValidationError: a name is unknown or fixed at the start, or a value does not fit.
        """
        self.settings = changed(self.settings, changes)
        self._plans = parse_faults(self.settings.faults)

    def decide(self, ask: Ask) -> Fault | None:
        """Returns the fault of a call, None where it goes well."""
        scope = _SCOPES.get(ask.endpoint)
        return decide(self.options.seed, ask.call, self._plans[scope]) if scope else None

    def refuse_key(self, key: str | None) -> Answer | None:
        """Returns the refusal of a call without the right subscription key; None where it may pass."""
        wanted = self.settings.api_key
        if wanted is None or key == wanted.get_secret_value():
            return None
        if not key:
            return gateway_error(401, "Access denied due to missing subscription key.")
        return gateway_error(401, "Access denied due to invalid subscription key.")

    def delay_s(self, ask: Ask, fault: Fault | None) -> float:
        """Returns how long after its arrival a call is done."""
        settings = self.settings
        jitter = settings.jitter_ms * (2 * chance(self.options.seed, "jitter", ask.call) - 1)
        slow = settings.slow_ms if fault and fault.kind is FaultKind.SLOW else 0
        return max(0.0, (settings.latency_ms + jitter + self._listed_ms(ask)) * self._load() + slow) / 1000

    def _listed_ms(self, ask: Ask) -> float:
        """Returns what the references of a list add: beyond the knee each takes the longer the more there are."""
        references, knee = len(ask.references), self.settings.list_knee
        growth = max(1.0, references / knee) if knee else 1.0
        return self.settings.per_reference_ms * references * growth

    def _load(self) -> float:
        """Returns by how much calls take longer because too many are worked on at once."""
        saturation = self.settings.saturation
        return max(1.0, self.gate.inside / saturation) if saturation else 1.0

    def perform(self, ask: Ask, fault: Fault | None) -> Answer:
        """Does what a call asks, as far as its fault lets it, and returns the answer as its fault leaves it."""
        if fault is None:
            return self.act(ask)
        match acts(fault.kind):
            case Acts.ALL:
                return distort(self.act(ask), fault)
            case Acts.HALF:
                self.act(replace(ask, references=_half(ask.references, fault.salt)))
            case Acts.NOTHING | Acts.LATE:
                pass
        return distort(Answer(200), fault)

    def act(self, ask: Ask) -> Answer:
        """Does what a call asks, and returns the answer."""
        return act(self.world, self.settings, ask)

    def with_retry_after(self, answer: Answer, at: float) -> Answer:
        """Returns a 429 or 503 with the Retry-After that the settings ask for; any other answer as it is."""
        after_s = self.settings.retry_after_s
        if after_s is None or answer.status not in _RETRY_LATER:
            return answer
        # A date has no fractions: rounded up, it never asks to come back too early.
        value = formatdate(ceil(at + after_s), usegmt=True) if self.settings.retry_after_date else f"{after_s:g}"
        return replace(answer, headers={**answer.headers, "Retry-After": value})


def _half(references: Sequence[Named], salt: int) -> list[Named]:
    return Random(salt).sample(references, -(-len(references) // 2))
