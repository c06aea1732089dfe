"""Messages are cut in the middle of their texts, with a mark, and nowhere else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit._engine.plan.cut import LEAST, cut, ends, reduced, shortened
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.tokens import TokenCounter, cost
from tests.plan.counting import Words

WORDS = Words()


class Letters(Words):
    """A character is a token, as in the worst vocabulary."""

    def text(self, text: str, /) -> int:
        return len(text)


@settings(deadline=None)
@given(st.text(max_size=400), st.integers(0, 120), st.sampled_from([WORDS, Letters()]))
def test_a_text_is_at_most_so_long(text: str, most: int, counter: TokenCounter) -> None:
    made = cut(counter, text, most)
    if counter.text(text) <= most:
        assert made == text
        return
    head, _, tail = made.partition("\n[... ")
    left_out, _, tail = tail.partition(" characters left out ...]\n")
    assert counter.text(made) <= most or not head + tail
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) + int(left_out.replace(",", "")) == len(text)
    assert cut(counter, text, most) == made


def test_both_ends_are_kept() -> None:
    made = cut(WORDS, "begin " + "word " * 1000 + "end", 50)
    assert made.startswith("begin word")
    assert made.endswith("word end")
    assert 45 <= WORDS.text(made) <= 50


def test_halves_of_a_character_stay_together() -> None:
    pair = "\ud83d\ude00"
    for size in range(40, 60):
        made = cut(Letters(), pair * 100, size)
        head, _, rest = made.partition("\n")
        _, _, tail = rest.rpartition("\n")
        assert head == pair * (len(head) // 2)
        assert tail == pair * (len(tail) // 2)


def test_words_of_uneven_density_are_counted_until_they_fit() -> None:
    text = "a " * 300 + "long" * 600
    made = cut(WORDS, text, 60)
    assert WORDS.text(made) <= 60


def test_the_longest_text_of_a_message_is_cut_first() -> None:
    long, short = Text("long " * 300), Text("short " * 50)
    made = shortened(WORDS, user(short, long), 200)
    assert made.parts[0] == short
    assert cost(WORDS, made) <= 200
    both = shortened(WORDS, user(short, long), 80)
    assert both.parts[0] != short
    assert cost(WORDS, both) <= 80
    least = shortened(WORDS, user(short, long), 1)
    assert cost(WORDS, least) <= 2 * LEAST + WORDS.frame


def test_calls_thinking_and_media_stay_as_they_are() -> None:
    call = ToolCall("c", "write", {"text": "word " * 300})
    parts = (Reasoning("deep " * 300), Text("text " * 300), call, Media("image/png", url="https://example.org/a.png"))
    made = shortened(WORDS, Message("assistant", parts), 100)
    assert made.parts[0] == parts[0]
    assert made.parts[2:] == parts[2:]
    assert made.parts[1] != parts[1]


def test_results_keep_what_they_are() -> None:
    made = shortened(WORDS, Message("tool", (ToolResult("c", "found " * 300, is_error=True),)), 60)
    result = made.parts[0]
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.is_error) == ("c", True)
    assert cost(WORDS, made) <= 60


def test_what_is_short_enough_stays() -> None:
    message = assistant("short")
    assert shortened(WORDS, message, 100) == message


class Growing(Words):
    """A long text costs more than its pieces."""

    def text(self, text: str, /) -> int:
        return len(text.split()) + len(text) // 100


def test_a_reply_is_sent_as_it_is_or_as_its_ends() -> None:
    reply = assistant("It begins here. " + "Then more is said, and more. " * 300 + "And so it goes")
    assert reduced(WORDS, reply, 5000) is reply
    for counter in (WORDS, Growing()):
        made = reduced(counter, reply, 200)
        assert cost(counter, made) <= 200
        assert made.text.startswith("It begins here.")
        assert made.text.endswith("And so it goes")
        assert "characters of this reply are left out here" in made.text
        assert ends(counter, reply, 200) == made
    assert ends(WORDS, reply, 0).text == ""
