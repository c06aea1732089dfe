"""What leaked from harmony is read as what it is, wherever the pieces are cut; other text is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Details, Finish
from agentkit.providers._harmony import _TOKEN, LONGEST, Harmony, cleaned
from agentkit.providers._openai_dialect import Leak
from agentkit.providers._openai_leaks import CleaningDecoder
from agentkit.usage import FinishReason

ALL: tuple[Leak, ...] = ("tokens", "words", "think")
STOP = Finish(FinishReason.STOP, "stop")
Made = tuple[str, str, list[list[str]], str]


class Answer:
    """A decoder that says what it was given."""

    def __init__(self, chunks: Iterable[Chunk], last: Sequence[Chunk]) -> None:
        self._chunks, self._last = [*chunks], last

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        return self._chunks

    def close(self) -> Sequence[Chunk]:
        return self._last


def clean(chunks: Iterable[Chunk], leaks: Sequence[Leak] = ("tokens",), last: Sequence[Chunk] = (STOP,)) -> list[Chunk]:
    decoder = CleaningDecoder(Answer(chunks, last), leaks)
    return [*decoder.feed(b""), *decoder.close()]


def made(chunks: Sequence[Chunk]) -> Made:
    text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))
    thought = "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningDelta))
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        if isinstance(chunk, CallDelta):
            call = calls.setdefault(chunk.index, ["", "", ""])
            for place, more in enumerate((chunk.id, chunk.name, chunk.arguments)):
                call[place] += more
    assert isinstance(chunks[-1], Finish)
    return text, thought, list(calls.values()), str(chunks[-1].reason)


def read(pieces: Iterable[str], leaks: Sequence[Leak] = ("tokens",)) -> Made:
    return made(clean(map(TextDelta, pieces), leaks))


def every_cut(text: str, leaks: Sequence[Leak]) -> Made:
    whole = read([text], leaks)
    assert read(text, leaks) == whole, "character by character"
    for place in range(len(text) + 1):
        assert read([text[:place], text[place:]], leaks) == whole, (text[:place], text[place:])
    return whole


A = "<|channel|>analysis<|message|>A"
B = "<|start|>assistant<|channel|>final<|message|>B"
CALL = [["call_0", "get_weather", '{"city":"Oslo"}']]
ARGS = '{"city":"Oslo"}'


@pytest.mark.parametrize("leaks", [("tokens",), ALL])
@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        (f"{A}<|end|>{B}<|return|>", "B", "A"),
        (f"<|start|>assistant{A}<|end|>{B}<|return|>", "B", "A"),
        (f"{A}<|end|>\n{B}", "B", "A"),
        (f"{A}<|end|>{A}<|end|>{B}", "B", "AA"),
        (f"{A}<|end|>\n B", "B", "A"),
        (f"{A}", "", "A"),
        ("<|channel|>final<|message|>B<|return|>\n", "B", ""),
        ("Hello<|end|>", "Hello", ""),
        ("Hello<|return|> \n", "Hello", ""),
        ("Hello<|end|><|return|>", "Hello", ""),
        (f"Hello<|end|>{B}", "HelloB", ""),
        ("<|channel|>commentary<|message|>I look.<|end|>", "I look.", ""),
        # headers that the token limit cut
        ("<|channel|>", "", ""),
        ("<|channel|>analysis", "", ""),
        ("<|channel|>comment", "", ""),
        ("<|start|>assistant", "", ""),
        (f"{A}<|end|><|start|>assistant<|channel|>fin", "", "A"),
        (f"{A}<|end|><|start|>assistant<|channel|>final<|mess", "", "A"),
        ("<|channel|>commentary to=functions.f <|constrain|>js", "", ""),
    ],
)
def test_channels(leaks: Sequence[Leak], text: str, answer: str, thought: str) -> None:
    assert every_cut(text, leaks) == (answer, thought, [], "stop")


@pytest.mark.parametrize(
    "text",
    [
        f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ARGS}<|call|>",
        f"<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ARGS}<|call|>",
        f"<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{ARGS}<|call|>",
        f"<|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{ARGS}<|end|>",
        f"<|channel|>commentary to=functions.get_weather<|message|>{ARGS}<|end|>",
        f"<|channel|>commentary to=functions.get_weather json<|message|>{ARGS}",
        f"<|channel|>commentary to=functions.get_weather code<|message|>{ARGS}<|call|>",
        f"<|channel|>commentary to=get_weather code<|message|>{ARGS}<|call|>",
    ],
)
def test_calls(text: str) -> None:
    assert every_cut(text, ("tokens",)) == ("", "", CALL, "tool_calls")
    assert every_cut(f"{A}<|end|>{text}", ALL) == ("", "A", CALL, "tool_calls")


WORDED = f"commentary to=functions.get_weather json{ARGS}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("analysisWe need A.assistantfinalHello analysis", ("Hello analysis", "We need A.", [], "stop")),
        ("analysisA assistant may say assistantfinalB", ("B", "A assistant may say ", [], "stop")),
        ("analysisAassistantanalysisBassistantfinalassistantfinal", ("assistantfinal", "AB", [], "stop")),
        (f"analysisAassistant{WORDED}", ("", "A", CALL, "tool_calls")),
        (f"analysisAassistant{WORDED.replace(' json', ' ')}", ("", "A", CALL, "tool_calls")),
        (WORDED, ("", "", CALL, "tool_calls")),
        (f"{WORDED}assistantfinalB", ("B", "", CALL, "tool_calls")),
        ("commentary to=functions.get_weather js", ("", "", [], "stop")),
        ("analysisAassistantcommentary to=functions.get", ("", "A", [], "stop")),
        ("analysisI am an assistant", ("", "I am an assistant", [], "stop")),
        ("analysisA assistantcommentary is", ("", "A assistantcommentary is", [], "stop")),
        (
            f"commentary to=functions.fassistantanalysis{ARGS}",
            ("", "", [["call_0", "fassistantanalysis", ARGS]], "tool_calls"),
        ),
        (
            "analysisAassistantcommentary to=functions.fassistantfinalB C",
            ("B C", "Aassistantcommentary to=functions.f", [], "stop"),
        ),
        ("analysis", ("analysis", "", [], "stop")),
        ("analysis of the assistantfinal", ("analysis of the assistantfinal", "", [], "stop")),
        ("commentary to=functions, ok", ("commentary to=functions, ok", "", [], "stop")),
        ("An analysisX assistantfinal", ("An analysisX assistantfinal", "", [], "stop")),
    ],
)
def test_bare_words(text: str, wanted: Made) -> None:
    assert every_cut(text, ALL) == wanted


def test_bare_words_are_text_where_nothing_is_known_to_leak() -> None:
    for text in ("analysisWe needassistantfinalHello", WORDED):
        assert every_cut(text, ("tokens", "think")) == (text, "", [], "stop")


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("<think>A</think>B", "B", "A"),
        ("\n<think>\n x < y </thin>\n</think>\n\nB <think>C</think>", "B <think>C</think>", "x < y </thin>\n"),
        ("<think>", "", ""),
        ("<think>\n", "", ""),
        ("<think>A</thi", "", "A</thi"),
        ("<think></think>B", "B", ""),
        ("<thin", "<thin", ""),
        (" ", " ", ""),
        ("a <think>b</think>", "a <think>b</think>", ""),
        (" " * 65 + "<think>A</think>", " " * 65 + "<think>A</think>", ""),
        (f"<think>A</think>{B}<|return|>", "B", "A"),
    ],
)
def test_thinking_in_tags(text: str, answer: str, thought: str) -> None:
    assert every_cut(text, ALL) == (answer, thought, [], "stop")
    assert every_cut(text, ("think", "tokens")) == (answer, thought, [], "stop")


PROSE = [
    "a <| b < c",
    "The analysis is final. <|",
    "use `<|channel|>` and then `<|message|>`; <|end|> closes",
    "<|channel|> marks a channel, it has nothing to do with the other one, <|constrain|> <|message|>, and so on.",
    "<|start|> is the start, <|channel|>analysis is a channel",
    "<|start|>user<|message|>hi",
    "<|channel|>analysis! <|message|>",
    "<|channel|>analysis<|start|>",
    "<|channel|>analysis<|end|>x",
    "<|channel|>other<|message|>x",
    "<|im_start|>assistant <|endoftext|> <|END|>",
    "<|message|>",
    "<|end|> and on",
    "<|channel|>" + "a" * (2 * LONGEST),
    "<|end|>" + " " * (2 * LONGEST),
]


@pytest.mark.parametrize("text", PROSE)
def test_a_text_that_speaks_of_it_stays_as_it_is(text: str) -> None:
    assert every_cut(text, ALL)[:3] == (
        text if text != "<|channel|>analysis<|start|>" else "<|channel|>analysis",
        "",
        [],
    )


SCRAPS = st.sampled_from(
    [
        *"<|>at \n{",
        *(f"<|{name}|>" for name in ("start", "end", "message", "channel", "constrain", "return", "call")),
        *("analysis", "commentary", "final", "assistant", " to=functions.f", "json", "x", "Hello ", '{"a":1}'),
        *("<think>", "</think>", "assistantfinal", "analysisA", "é", "𝄞"),
    ]
)


@given(st.lists(SCRAPS, max_size=14).map("".join), st.data())
@settings(max_examples=1500, deadline=None)
def test_any_cut_gives_the_same(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    for leaks in (("tokens",), ALL):
        assert read(pieces, leaks) == read([text], leaks) == read(text, leaks)


@given(
    st.text(st.sampled_from("<|>analysifthk/ \n{}") | st.characters(), max_size=40).filter(
        lambda text: not _TOKEN.search(text)
    )
)
@settings(max_examples=800, deadline=None)
def test_a_text_without_control_tokens_is_the_same(text: str) -> None:
    assert read(text) == (text, "", [], "stop")
    assert cleaned(text) == text


@given(st.lists(SCRAPS, max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_little_is_held_back(text: str) -> None:
    harmony = Harmony()
    for char in text:
        harmony.feed(char)
        assert len(harmony._header) + len(harmony._cut) <= LONGEST + 32


def test_single_words_as_events() -> None:
    pieces = [
        "<|channel|>",
        "analysis",
        "<|message|>",
        "A",
        "<|end|>",
        "<|start|>",
        "assistant",
        "<|channel|>",
        "final",
    ]
    assert read([*pieces, "<|message|>", "B", "<|return|>"]) == ("B", "A", [], "stop")


def test_calls_that_were_sent_and_calls_that_leaked_are_told_apart() -> None:
    leaked = "<|channel|>commentary to=functions.f<|message|>{}<|call|>"
    chunks: list[Chunk] = [
        TextDelta(leaked),
        CallDelta(0, "call_0", "g", "{"),
        CallDelta(0, arguments="}"),
        TextDelta(leaked),
        ReasoningDelta("r"),
        Notice("n"),
    ]
    found = clean(chunks, last=(CallDelta(1, "call_3", "h", "{}"), Details({"id": "x"}), STOP))
    assert made(found) == (
        "",
        "r",
        [["call_1", "f", "{}"], ["call_0", "g", "{}"], ["call_2", "f", "{}"], ["call_3", "h", "{}"]],
        "tool_calls",
    )
    assert Notice("n") in found
    assert found[-2:] == [Details({"id": "x"}), Finish(FinishReason.TOOL_CALLS, "stop")]


def test_a_cut_call_keeps_its_finish_reason() -> None:
    cut = Finish(FinishReason.LENGTH, "length")
    chunks = [TextDelta('<|channel|>commentary to=functions.f<|message|>{"a')]
    assert clean(chunks, last=(cut,))[-1] == cut


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("plain < text", "plain < text"), (f"{A}<|end|>{B}<|return|>", "B"), (f"{A}", ""), ("B<|end|>", "B")],
)
def test_text_that_goes_back(text: str, wanted: str) -> None:
    assert cleaned(text) == wanted
