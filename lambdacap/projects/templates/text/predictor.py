"""The words that a text is about."""

import re
from collections import Counter
from typing import Annotated

from msgspec import Meta


def predict(text: str, top: Annotated[int, "how many", Meta(ge=1, le=50)] = 5) -> dict[str, int]:
    """The words of at least four letters that come most often, with how often."""
    return dict(Counter(re.findall(r"\w{4,}", text.lower())).most_common(top))
