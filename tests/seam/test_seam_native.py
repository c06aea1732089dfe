"""What is gone on with by the server itself: a document that is told anew, first words that come again."""

from __future__ import annotations

import json

import pytest

from agentkit._engine.seam import Native, Raw, Seam, Strategy
from agentkit._engine.seam.excerpt import excerpt

DOCUMENT = '{"name": "Ada", "born": 1815, "works": [{"title": "Notes", "pages": 66}, {"title": "Let'


@pytest.mark.parametrize("strategy", [Native(), Native(repeats_prefix=False), Raw()])
@pytest.mark.parametrize(
    ("text", "said", "joined"),
    [
        (DOCUMENT, 'ters"}]}', 'ters"}]}'),
        (DOCUMENT, json.dumps({**json.loads(DOCUMENT + 'ters"}]}')}, indent=2), 'ters"\n    }\n  ]\n}'),
        (DOCUMENT, '{"title": "Ada Lovelace", "works": []}', None),
        (DOCUMENT, ' [ { "name": "Ada King"', None),
        ('{"name": "Ada", "born": 18', '{"name": "Ada King", "born": 1815}', None),
        ('{"name": "Ada", "born": 18', "[1]", None),
        ('{"name": "Ada",', '{"title": "Ada"}', None),
        ('{"name": "Ada", "works": [', '{"name": "Notes"}]}', '{"name": "Notes"}]}'),
        ('{"name": ', '{"title": "Ada"}}', '{"title": "Ada"}}'),
        (DOCUMENT[:72], ', {"title": "Letters"}]}', ', {"title": "Letters"}]}'),
        (DOCUMENT[:73], ' {"title": "Letters"}]}', ' {"title": "Letters"}]}'),
        ('{"a": "see ', "[", "["),
        ('{"a": "see ', '["', '["'),
        ('{"a": "see ', '["]}', '["]}'),
        ('{"a": "see ', '{x}"}', '{x}"}'),
        ('[{"a": 1}', "   ", "   "),
        ('[{"a": 1}', "", ""),
        ('[{"a": 1}', ", 2]", ", 2]"),
    ],
)
def test_a_document_that_begins_where_none_can_is_told_anew(
    strategy: Strategy, text: str, said: str, joined: str | None
) -> None:
    for size in (1, 3, 7, len(said) or 1):
        seam = Seam(text, strategy)
        made = "".join([*(seam.feed(said[at : at + size]) for at in range(0, len(said), size)), seam.close()])
        assert made == (joined or ""), (size, seam.joined)
        assert (seam.joined.failure is None) is (joined is not None)


def test_the_first_words_once_more_are_kept_where_nothing_follows() -> None:
    text = "The keeper climbs the stair each evening, when the gulls are quiet. " * 4
    seam = Seam(text + "Then", Native())
    assert seam.feed(" The keeper climbs the stair") + seam.close() == " The keeper climbs the stair"
    seam = Seam("The keeper climbs the stair each evening, " + text[40:200] + "and then", Native(repeats_prefix=False))
    assert seam.feed("The keeper climbs the stair") + seam.close() == "The keeper climbs the stair"


def test_an_outline_holds_no_lines_of_code() -> None:
    pages = [f"## Page {page}\n\n```sh\n# not {page}\n~~~\n```sh\n```\n\nChapter {page} ends.\n" for page in range(9)]
    text = "\n".join(["An introduction. " * 30, *pages, "```\n", "# within\n" * 400])
    made = excerpt(text, 300, lambda text: len(text) // 4)
    outline = made.partition("in it:\n")[2].partition("\n...]")[0].split("\n")
    assert len(outline) > 6
    assert all(line.startswith(("## Page", "Chapter")) for line in outline)


@pytest.mark.parametrize("mark", ["```", "```py\n"])
def test_blocks_without_an_end_take_no_time(mark: str) -> None:
    text = f"{mark}{'`' * 5}x\n" * 40_000
    assert len(excerpt(text, 200, len)) <= 200
