"""What hypothesis draws: values of JSON, as odd as JSON allows."""

from __future__ import annotations

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(("\x1b]0;owned\x07", "\u202egnp.exe", "\ud800", "a\nerror: forged", "[red]", "\x9b2J\x7f")),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
