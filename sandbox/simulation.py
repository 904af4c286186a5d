"""One running sandbox without its HTTP side: the world, the current settings, the traffic."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from math import ceil
from random import Random
from typing import Final

from cancellist.sandbox.answers.answers import Answer, gateway_error
from cancellist.sandbox.call import Ask
from cancellist.sandbox.endpoints import act
from cancellist.sandbox.faults.distortions import distort
from cancellist.sandbox.faults.faults import Fault, decide, parse_faults, parse_places
from cancellist.sandbox.faults.kinds import STALE, Acts, FaultKind, Scope, acts
from cancellist.sandbox.options import SandboxOptions, changed
from cancellist.sandbox.routes import Endpoint
from cancellist.sandbox.traffic import Gate, Traffic
from cancellist.sandbox.world.consignments import parse_mix
from cancellist.sandbox.world.references import chance, draw
from cancellist.sandbox.world.world import Named, World

_SCOPES: Final = {
    Endpoint.CANCEL_LIST: Scope.LIST,
    Endpoint.CANCEL: Scope.SINGLE,
    Endpoint.DEALLOCATE: Scope.DEALLOCATE,
    Endpoint.DEALLOCATE_LIST: Scope.DEALLOCATE,
    Endpoint.SET_NOT_READY: Scope.NOT_READY,
    Endpoint.STATUS: Scope.READS,
    Endpoint.CONSIGNMENT: Scope.READS,
    Endpoint.SEARCH: Scope.SEARCH,
    Endpoint.PAGE: Scope.SEARCH,
    Endpoint.SUMMARY: Scope.SEARCH,
    Endpoint.CREATE: Scope.CREATE,
}
_RETRY_LATER: Final = frozenset({429, 503})


class Simulation:
    """The platform's behaviour: the effect, the duration and the fault of a call."""

    def __init__(self, options: SandboxOptions, started_at: float) -> None:
        self.options = options
        self.settings = options.settings()
        self.world = World(options.seed, options.consignments, parse_mix(options.mix))
        self.traffic = Traffic(started_at)
        self.gate = Gate()
        self._plan()

    def _plan(self) -> None:
        """Parses the faults again. Those limited in number or time start from the beginning."""
        self._plans = parse_faults(self.settings.faults)
        self._places = parse_places(self.settings.at)
        self._seen: Counter[tuple[str, FaultKind]] = Counter()
        self._faults_began_at: float | None = None

    def change(self, changes: Mapping[str, object]) -> None:
        """Changes settings from the next call on.

        Raises:
            ValidationError: a name is unknown or fixed at the start, or a value does not fit.
        """
        self.settings = changed(self.settings, changes)
        if not {"faults", "at", "faults_for_s"}.isdisjoint(changes):
            self._plan()

    def decide(self, ask: Ask) -> Fault | None:
        """Returns the fault of a call, None where it goes well."""
        scope = _SCOPES.get(ask.endpoint)
        if scope is None:
            return None
        fault = self._fault_at(ask, scope) if self._places else None
        if fault is not None or self._are_over(ask, scope):
            return fault
        return decide(self.options.seed, ask.call, self._plans[scope])

    def _fault_at(self, ask: Ask, scope: Scope) -> Fault | None:
        """Returns the fault of a call that belongs to one of its references."""
        for text, _ in ask.references:
            for kind, times in self._places.get(text, {}).get(scope, ()):
                if times is None or self._seen[text, kind] < times:
                    self._seen[text, kind] += 1
                    return Fault(kind, draw(self.options.seed, "salt", ask.call), text)
        return None

    def _are_over(self, ask: Ask, scope: Scope) -> bool:
        """Returns whether the time of random faults is over. It begins with the first call that they apply to."""
        if self.settings.faults_for_s is None or not self._plans[scope]:
            return False
        if self._faults_began_at is None:
            self._faults_began_at = ask.at
        return ask.at >= self._faults_began_at + self.settings.faults_for_s

    def honoured(self, query: Mapping[str, str]) -> dict[str, str]:
        """Returns a search's query without the filters that the settings tell to ignore."""
        ignored = {name.lower() for name in self.settings.ignored_filters}
        return {name: value for name, value in query.items() if name.lower() not in ignored}

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
        """Returns the time that the references of a list add. Beyond the knee it grows faster than their number."""
        references, knee = len(ask.references), self.settings.list_knee
        growth = max(1.0, references / knee) if knee else 1.0
        return self.settings.per_reference_ms * references * growth

    def _load(self) -> float:
        """Returns by how much calls take longer because too many are worked on at once."""
        saturation = self.settings.saturation
        return max(1.0, self.gate.inside / saturation) if saturation else 1.0

    def perform(self, ask: Ask, fault: Fault | None, now: float) -> Answer:
        """Does what a call asks, as far as its fault lets it, and returns the answer as its fault leaves it."""
        if fault is None:
            return self.act(ask, now)
        if fault.kind in STALE:
            return self._stale(ask, fault.kind, now)
        match acts(fault.kind):
            case Acts.ALL:
                return distort(self.act(ask, now), fault)
            case Acts.HALF:
                self.act(replace(ask, references=_half(ask.references, fault.salt)), now)
            case Acts.NOTHING | Acts.LATE:
                pass
        return distort(Answer(200), fault)

    def act(self, ask: Ask, now: float) -> Answer:
        """Does what a call asks, and returns the answer."""
        return act(self.world, self.settings, ask, now)

    def _stale(self, ask: Ask, kind: FaultKind, now: float) -> Answer:
        """Returns what a cache on the way remembers; one header alone tells how old it is."""
        then = now - self.settings.stale_s
        answer = self.act(replace(ask, as_of=then), now)
        match kind:
            case FaultKind.STALE_AGE:
                return replace(answer, headers={"Age": f"{self.settings.stale_s:.0f}"})
            case FaultKind.STALE_DATE:
                return replace(answer, headers={"Date": formatdate(then, usegmt=True)})
            case _:
                return replace(answer, headers={"Last-Modified": formatdate(then, usegmt=True)})

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
