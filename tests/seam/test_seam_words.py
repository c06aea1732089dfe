"""A remark where a word was cut: dropped where the word goes on after it, and kept where it may be the author's."""

from __future__ import annotations

import pytest

from agentkit._engine.seam import Overlap, Seam

TEXT = "The keeper had sailed past it for years, so that a c"
REST = "urious light on the rock was nothing new to her. She slept."


def joined(text: str, said: str, size: int) -> str:
    seam = Seam(text, Overlap())
    return "".join([*(seam.feed(said[at : at + size]) for at in range(0, len(said), size)), seam.close()])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "remark",
    [
        "Here's the continuation:\n",
        "Continuing the text:\n\n",
        "Here is the rest of it.\n",
        "Voici la suite :\n",
        "Конечно, вот продолжение:\n",
        "接着上文继续\uff1a\n",
    ],
)
def test_a_remark_within_a_word_is_dropped(remark: str, size: int) -> None:
    assert joined(TEXT, remark + REST, size) == REST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("They sat there until the end of t", "here is the rest:\nof it all, and so on for as long as it takes."),
        ("THEY SAT THERE UNTIL THE END OF T", "HERE IS THE REST:\nof it all, and so on for as long as it takes."),
        (TEXT, f"Here's the continuation: {REST}"),
        (TEXT, f"\nHere's the continuation:\n{REST}"),
        (TEXT, f"Here's the gull:\n{REST}"),
        (TEXT, f"Here's the continuation:\n {REST}"),
        (TEXT, f"Here's the continuation:\nU{REST[1:]}"),
        (f"{TEXT}urious.", f"Here's the continuation:\n{REST}"),
        (f"{TEXT}urious light", f"Here's the continuation:\n{REST}"),
        (f"{TEXT}ontinued light", f"Here's the continuation:\nkeeper and years and then {REST}"),
    ],
)
def test_what_may_be_the_authors_is_kept(text: str, said: str) -> None:
    assert said.rpartition("\n")[2] in joined(text, said, 1000)
    assert "".join(said.split()) in "".join(joined(text, said, 1000).split())


def test_a_word_of_the_text_is_known_by_all_of_it() -> None:
    assert (
        joined(f"{TEXT}urious light was curi", f"Here's the continuation:\nous to her, {REST}", 1000)
        == f"ous to her, {REST}"
    )


def test_only_the_remark_goes() -> None:
    said = "Here's the continuation:\nhere is the rest.\nof this text, and so on for as long as it takes."
    assert joined("They sat by the door, and t", said, 1000) == said.partition("\n")[2]
