"""Messages are short, and move no cursor."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as some

from igmsweep.errors import UserError
from igmsweep.legible import MESSAGE, clean, quoted


@given(some.text())
def test_a_message_is_short_and_has_no_control_codes(text: str) -> None:
    error = UserError(text * 50)
    assert len(str(error)) <= MESSAGE
    assert str(error).replace("\n", "").replace("\t", "").isprintable() or not str(error).isascii()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert clean(clean(text)) == clean(text)
    str(error).encode()


def test_a_long_message_keeps_both_ends() -> None:
    told = str(UserError("key: found " + "x" * 2000 + ", expected y"))
    assert told.startswith("key: found x") and told.endswith(", expected y") and "characters" in told
    assert quoted(10**6000) == "a int too large to show"
