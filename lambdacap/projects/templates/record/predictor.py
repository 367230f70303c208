"""What a flat might cost a month."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

PER_METRE = {"old": 9.5, "renovated": 12.0, "new": 15.0}


@dataclass
class Flat:
    metres: Annotated[float, "square metres", Meta(gt=0, le=1000)]
    rooms: Annotated[int, Meta(ge=1, le=30)]
    state: Literal["old", "renovated", "new"] = "old"
    balcony: bool = False


def predict(flat: Flat) -> dict[str, float]:
    """The rent that flats like this one have, and what would be fair bounds for it."""
    rent = flat.metres * PER_METRE[flat.state] + 40 * flat.rooms + 60 * flat.balcony
    return {"rent": round(rent, 2), "low": round(0.9 * rent, 2), "high": round(1.1 * rent, 2)}
