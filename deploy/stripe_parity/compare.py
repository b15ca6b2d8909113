"""Where two runs of the same lifecycle differ."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.stripe_parity.run import DONE, Seen, Shape


@dataclass(frozen=True, slots=True)
class Difference:
    """`grave` ones change what the product does: another outcome, state, amount or type. The others may depend on
    how an account is set up: a field that one side alone shows, or that is null on one side."""

    step: str
    what: str
    left: str
    right: str
    grave: bool = True

    def __str__(self) -> str:
        return f"{self.step}: {self.what}: {self.left} | {self.right}"


def differences(left: dict[str, Seen], right: dict[str, Seen]) -> list[Difference]:
    """All of them, in the order of the steps."""
    found: list[Difference] = []
    for step in [*left, *(name for name in right if name not in left)]:
        one, other = left.get(step, Seen("not run")), right.get(step, Seen("not run"))
        # A step that has not ended as it should tells nothing, also where both sides agree.
        if one.outcome != other.outcome or one.outcome != DONE:
            found.append(Difference(step, "outcome", one.outcome, other.outcome))
        for name in sorted(one.facts.keys() | other.facts.keys()):
            a, b = one.facts.get(name, "not seen"), other.facts.get(name, "not seen")
            if a != b:
                found.append(Difference(step, name, repr(a), repr(b)))
        for kind in sorted(one.shapes.keys() & other.shapes.keys()):
            found += _shapes(step, kind, one.shapes[kind], other.shapes[kind])
    return found


def _shapes(step: str, kind: str, left: Shape, right: Shape) -> list[Difference]:
    """Places that differ; what lies below a place that one side lacks is not told of again."""
    found: list[Difference] = []
    lacking: list[str] = []
    for path in sorted(left.keys() | right.keys()):
        if any(path.startswith((f"{place}.", f"{place}[")) for place in lacking):
            continue
        a, b = left.get(path, set()), right.get(path, set())
        if a == b:
            continue
        one, other = (", ".join(sorted(types)) or "absent" for types in (a, b))
        solid = [types - {"null"} for types in (a, b)]
        # One of them says nothing here, or less: only two things that cannot both be are grave.
        is_grave = bool(solid[0] and solid[1] and not (solid[0] <= solid[1] or solid[1] <= solid[0]))
        if not solid[0] or not solid[1]:
            lacking.append(path)
        found.append(Difference(step, f"{kind}{path if path != '.' else ''}", one, other, grave=is_grave))
    return found


def unique(found: list[Difference]) -> list[Difference]:
    """The same place of the same kind of object is told of once, with the first step that met it."""
    seen: set[tuple[str, str, str]] = set()
    told = []
    for one in found:
        place = (one.what, one.left, one.right)
        if one.grave or place not in seen:
            told.append(one)
        seen.add(place)
    return told
