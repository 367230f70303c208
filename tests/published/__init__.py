"""The published captioner as it was: what `model.pickle` was written with, and what ours is measured against.

Its modules were the top-level `caption` and `models`, and so they are called in the pickle.
"""

from __future__ import annotations

import sys


def under_published_names() -> None:
    """Makes this process write and read pickles in which the classes' modules are `caption` and `models`."""
    from tests.published import caption, models

    for name, module, classes in (
        ("caption", caption, [caption.ImageToWordModel]),
        ("models", models, [models.Encoder, models.Attention, models.DecoderWithAttention]),
    ):
        sys.modules[name] = module
        for one in classes:
            one.__module__ = name
