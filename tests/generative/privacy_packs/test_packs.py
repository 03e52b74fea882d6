"""Whatever is handed over as a pack is read or refused by name; what is read is applied."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.privacy.packs import BadPack, Settings, apply, count_table, read_pack, shipped, strictest_pack

words = st.sampled_from(
    [
        *("5", "-1", "0", "true", '"hide"', '"show"', '"1/3"', "0.5", "nan", "inf", "[]", '["svg"]', "1e400"),
        *('{ kind = "nearest", base = 5 }', '[{ n = 2, share = "0.9" }]', "2000-01-01", "99999999999999999999"),
    ]
)
fields = st.sampled_from([*Settings.__struct_fields__, "unknown", "value"])


@given(st.lists(st.tuples(fields, words), max_size=4))
def test_a_stated_pack_is_read_or_refused(stated: list[tuple[str, str]]) -> None:
    text = 'version = 1\nname = "mine"\ntitle = "Mine"\n'
    text += "".join(f'[setting.{name}]\nvalue = {value}\nsource = "ours"\n' for name, value in stated)
    try:
        pack = read_pack(text)
    except BadPack:
        return
    joined = strictest_pack([pack, shipped("xinglin")])
    protected = apply(joined, count_table("t", {"a": "xyz"}, [3, 20, 30]), key=bytes(16))
    assert protected.is_hidden((0,))


@given(st.text(max_size=200))
def test_any_text_is_refused_or_read(text: str) -> None:
    with contextlib.suppress(BadPack, LimitExceeded):
        read_pack(text)
