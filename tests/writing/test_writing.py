"""Long texts, over three runtimes: their length, their chapters, their file, and what happens where something fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenarios import RUNTIMES, Opener, play

from agentkit import (
    Continuation,
    ConversationClosed,
    InvalidInput,
    Options,
    Outcome,
    RetryPolicy,
    ServerError,
    StoreError,
    TransportError,
    WriteProgress,
    assistant,
)
from agentkit.sim import Simulator
from agentkit.testing import Cut, ScriptedProvider

TASK = "A field guide to tide pools"
TITLES = ("The splash zone", "The middle shore", "Below the tide")
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    made = Simulator(seed=5)
    yield made
    assert made.problems == ()


def prose(words: int, of: str = "word") -> str:
    return " ".join([of] * (words - 1) + ["end."])


def asked(provider: ScriptedProvider) -> list[str]:
    """What each request asked for: its only message."""
    assert all(len(request.messages) == 1 for request in provider.requests)
    return [request.messages[-1].text for request in provider.requests]


@pytest.mark.parametrize("words", [20, 90, 700, 2500, 9000])
@pytest.mark.parametrize("limit", [None, 150])
def test_a_text_is_as_long_as_was_asked(
    runtime: str, simulator: Simulator, words: int, limit: int | None, tmp_path: Path
) -> None:
    into = tmp_path / "guide.md"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=Options(max_tokens=limit)) as chat:
            written = await chat.write(TASK, words=words, into=into)
            assert (written.outcome, written.reason, written.target) == (Outcome.COMPLETE, None, words)
            assert 0.9 * words <= written.words <= 1.1 * words
            assert into.read_text(encoding="utf-8") == written.text == str(written)
            assert (written.path, written.conversation) == (into, chat.name)
            assert written.usage == chat.usage
            headings = [line for line in written.text.splitlines() if line.startswith("## ")]
            many = len(written.titles) > 1
            assert headings == [f"## {title}" for title in written.titles if many]
            assert len(written.text.split()) - 3 * len(headings) == written.words

    play(runtime, scenario)


def test_chapters_are_turns_that_carry_the_task_the_outline_and_what_came_before(runtime: str) -> None:
    provider = ScriptedProvider(
        [prose(100, "spray"), "## The middle shore\n\n" + prose(100, "crabs"), prose(100, "kelp")]
    )

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=300, outline=TITLES)
            said = asked(provider)
            assert len(said) == 3
            assert all(TASK in text and "2. The middle shore" in text for text in said)
            assert "100 words" in said[1]
            assert "spray end." in said[1]
            assert "spray" not in said[2]
            assert "crabs end." in said[2]
            assert "whole text ends" in said[2]
            assert "whole text ends" not in said[1]
            assert written.titles == TITLES
            assert (
                written.text
                == "\n\n".join(
                    f"## {title}\n\n{prose(100, of)}"
                    for title, of in zip(TITLES, ("spray", "crabs", "kelp"), strict=True)
                )
                + "\n"
            )
            assert [message.role for message in chat.messages] == ["user", "assistant"] * 3

    play(runtime, scenario)


def test_an_outline_is_asked_for_with_all_of_the_conversation(runtime: str) -> None:
    answers = ["Noted.", "Here:\n1. The splash zone\n2. The middle shore\n3. Below the tide", *[prose(100)] * 3]
    provider = ScriptedProvider(answers)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            await chat.send("It is for children.")
            written = await chat.write(TASK, words=300, outline=True)
            assert written.titles == TITLES
            assert [len(request.messages) for request in provider.requests] == [1, 3, 1, 1, 1]
            assert written.outcome is Outcome.COMPLETE
            assert "words" in provider.requests[-1].messages[-1].text

    play(runtime, scenario)


def test_without_a_usable_outline_the_parts_are_numbered(runtime: str) -> None:
    provider = ScriptedProvider(["I would rather not.", prose(1500), prose(1500)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=3000)
            assert written.titles == ("Part 1", "Part 2")
            assert written.text.startswith("## Part 1\n\nword")
            assert "part 2 of 2" in asked(provider)[2]

    play(runtime, scenario)


def test_without_chapters_the_text_is_one(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            written = await chat.write(TASK, words=3000, outline=False)
            assert "#" not in written.text
            assert len(chat.messages) == 4
            assert written.words == 3000

    play(runtime, scenario)


def test_more_is_asked_for_where_too_little_came_and_less_where_too_much_did(runtime: str) -> None:
    provider = ScriptedProvider([prose(60), prose(40), prose(180), prose(20), prose(20)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=300, outline=TITLES)
            said = asked(provider)
            assert "40 words more" in said[1]
            assert "repeat nothing" in said[1]
            assert "100 words: chapter 2" in said[2]
            assert "30 words: chapter 3" in said[3]
            assert written.words == 300
            assert written.outcome is Outcome.COMPLETE
            assert len(said) == 4

    play(runtime, scenario)


def test_a_model_that_has_no_more_to_say_is_left_alone(runtime: str) -> None:
    provider = ScriptedProvider([prose(60), "No.", prose(60), "No.", prose(60), "No."])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=600, outline=TITLES)
            assert written.outcome is Outcome.TRUNCATED
            assert written.reason == f"the model came to {written.words} of 600 words"
            assert len(provider.requests) == 6

    play(runtime, scenario)


def test_more_is_asked_for_a_few_times_only(runtime: str) -> None:
    provider = ScriptedProvider([prose(20)] * 10)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=600, outline=["One", "Two"])
            assert (written.words, written.outcome, len(provider.requests)) == (200, Outcome.TRUNCATED, 10)

    play(runtime, scenario)


def test_an_outline_that_broke_off_is_finished_first(runtime: str, store: Any, simulator: Simulator) -> None:
    task = f"{TASK}, drop after 8 words"

    async def scenario(open_chat: Opener) -> None:
        for _ in range(2):
            async with open_chat(simulator, store=store, name="guide") as chat:
                with pytest.raises(TransportError):
                    await chat.write(task, words=200, outline=True)
        async with open_chat(simulator, store=store, name="guide") as chat:
            written = await chat.write(task, words=200, outline=True)
            said = [message.text for message in chat.messages]
            assert sum("Give only its outline" in text for text in said) == 1
            assert len(said[1].split()) > 8
            assert (written.words, len(said)) == (200, 4)

    play(runtime, scenario)


def test_a_chapter_that_stays_cut_is_told(runtime: str) -> None:
    provider = ScriptedProvider([Cut(prose(90)), Cut(""), prose(100), prose(100)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, continuation=Continuation(max_attempts=0, strategy="native")) as chat:
            written = await chat.write(TASK, words=300, outline=TITLES)
            assert len(provider.requests) == 4, "it was tried to go on once, and that brought nothing"
            assert written.outcome is Outcome.TRUNCATED
            assert written.reason is not None
            assert written.reason.startswith("chapter 1 is cut: ")
            assert 280 <= written.words <= 330

    play(runtime, scenario)


def test_after_a_failure_the_same_call_goes_on_where_it_stopped(runtime: str, store: Any, tmp_path: Path) -> None:
    into = tmp_path / "guide.md"
    first = ScriptedProvider([prose(100, "spray"), ServerError("out of order", status=500)])
    second = ScriptedProvider([prose(100, "crabs"), prose(100, "kelp")])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(first, store=store, name="guide", retry=ONCE) as chat:
            with pytest.raises(ServerError) as caught:
                await chat.write(TASK, words=300, outline=TITLES, into=into)
            assert caught.value.reply is not None
            assert into.read_text(encoding="utf-8") == f"## The splash zone\n\n{prose(100, 'spray')}"
        async with open_chat(second, store=store, name="guide") as chat:
            written = await chat.write(TASK, words=300, outline=TITLES, into=into)
            assert into.read_text(encoding="utf-8") == written.text
            assert written.words == 300
            assert (len(first.requests), len(second.requests)) == (2, 2)
            again = await chat.write(TASK, words=300, outline=TITLES, into=into)
            assert again.text == (await chat.write()).text == written.text
            assert len(second.requests) == 2, "what is there is not asked for again"
            into.unlink()
            await chat.write()
            assert into.read_text(encoding="utf-8") == written.text, "the journal has it all"

    play(runtime, scenario)


def test_a_text_that_breaks_off_keeps_its_words_and_goes_on(runtime: str, store: Any, tmp_path: Path) -> None:
    into = tmp_path / "guide.md"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator(seed=5), store=store, name="guide") as chat:
            task = f"{TASK}, drop after 150 words"
            failures = 0
            while True:
                try:
                    written = await chat.write(task, words=900, outline=TITLES, into=into)
                    break
                except TransportError:
                    failures += 1
                    held = into.read_text(encoding="utf-8")
                    assert held.startswith("## The splash zone")
            assert failures == 3, "once in each chapter"
            assert into.read_text(encoding="utf-8") == written.text
            assert written.words == 900
            assert (written.outcome, written.reason) == (Outcome.COMPLETE, None)

    play(runtime, scenario)


def test_stopping_by_an_exception_of_the_callback_keeps_all(runtime: str, tmp_path: Path) -> None:
    into = tmp_path / "guide.md"

    def stop(told: WriteProgress) -> None:
        if told.chapter == 2:
            raise ZeroDivisionError

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator(seed=5)) as chat:
            with pytest.raises(ZeroDivisionError):
                await chat.write(TASK, words=300, outline=TITLES, into=into, on_progress=stop)
            held = into.read_text(encoding="utf-8")
            assert held.count("## ") == 1
            written = await chat.write()
            assert written.text.startswith(held)
            assert into.read_text(encoding="utf-8") == written.text

    play(runtime, scenario)


def test_progress_is_told_for_each_chapter_and_can_be_read(runtime: str, simulator: Simulator) -> None:
    told: list[WriteProgress] = []

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            await chat.write(TASK, words=4500, on_progress=told.append)

    play(runtime, scenario)
    assert [said.chapter for said in told if said.chapter != 0][:1] == [1]
    assert sorted({said.chapter for said in told}) == [0, 1, 2, 3]
    assert [said.words for said in told] == sorted(said.words for said in told)
    assert (told[-1].words, told[-1].target, told[-1].seconds_left) == (4500, 4500, 0)
    assert str(told[0]) == "outline, 0 of 4,500 words"
    assert str(told[1]) == "chapter 1/3, 0 of 4,500 words"
    assert str(told[-1]).startswith("chapter 3/3, 4,500 of 4,500 words, ")


@pytest.mark.parametrize(
    ("seconds", "said"), [(12.3, "about 12 s left"), (420.0, "about 7 min left"), (9000.0, "about 2.5 h left")]
)
def test_the_time_that_is_left_is_told_in_words(seconds: float, said: str) -> None:
    progress = WriteProgress(
        chapter=3, chapters=12, title="x", words=4210, target=20000, words_per_second=35.2, seconds_left=seconds
    )
    assert str(progress) == f"chapter 3/12, 4,210 of 20,000 words, 35 words/s, {said}"


def test_a_file_that_holds_something_else_is_refused_before_anything_is_asked(runtime: str, tmp_path: Path) -> None:
    into = tmp_path / "notes.md"
    into.write_text("My notes\n", encoding="utf-8")
    simulator = Simulator(seed=5)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            with pytest.raises(InvalidInput, match="holds 9 bytes already"):
                await chat.write(TASK, words=60, into=into)
            assert simulator.received == 0
            written = await chat.write(TASK, words=60, into=into, append=True)
            assert into.read_text(encoding="utf-8") == f"My notes\n\n{written.text}"
            assert (await chat.write()).text == written.text
            assert into.read_text(encoding="utf-8") == f"My notes\n\n{written.text}"
            other = await chat.write("Another text", words=60, into=into, append=True)
            assert into.read_text(encoding="utf-8") == f"My notes\n\n{written.text}\n{other.text}"

        into.unlink()
        async with open_chat(simulator, name="other") as chat:
            into.write_text("Mine", encoding="utf-8")
            written = await chat.write(TASK, words=60, into=into, append=True)
            into.unlink()
            for _ in range(2):
                await chat.write()
                assert into.read_text(encoding="utf-8") == written.text, "begun anew, since it is gone"

    play(runtime, scenario)


@pytest.mark.parametrize("change", ["X", ""])
def test_a_file_that_was_changed_since_is_not_touched(runtime: str, tmp_path: Path, change: str) -> None:
    into = tmp_path / "guide.md"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator(seed=5)) as chat:
            written = await chat.write(TASK, words=60, into=into)
            changed = change + written.text[1:] + ("more" if not change else "")
            into.write_text(changed, encoding="utf-8")
            with pytest.raises(InvalidInput, match="was changed since"):
                await chat.write()
            assert into.read_text(encoding="utf-8") == changed
            moved = await chat.write(into=tmp_path / "other.md")
            assert moved.text == (tmp_path / "other.md").read_text(encoding="utf-8") == written.text

    play(runtime, scenario)


def test_a_file_that_somebody_else_writes_to_meanwhile_is_left_alone(runtime: str, tmp_path: Path) -> None:
    into = tmp_path / "guide.md"

    def meddle(told: WriteProgress) -> None:
        if told.chapter == 2 and "mine" not in into.read_text(encoding="utf-8"):
            with into.open("a", encoding="utf-8") as file:
                file.write("mine")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator(seed=5)) as chat:
            with pytest.raises(StoreError, match="somebody else"):
                await chat.write(TASK, words=900, outline=TITLES, into=into, on_progress=meddle)
            assert into.read_text(encoding="utf-8").endswith("mine")

    play(runtime, scenario)


async def later(_: object) -> None: ...


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": ""}, "the task must be"),
        ({"task": None, "words": 10}, "needs a task"),
        ({"task": None, "words": None}, "needs a task"),
        ({"words": None}, "words must be"),
        ({"words": 0}, "words must be"),
        ({"words": True}, "words must be"),
        ({"outline": []}, "outline must be"),
        ({"outline": 3}, "outline must be"),
        ({"outline": " "}, "outline must be"),
        ({"into": 3}, "into must be"),
        ({"into": ""}, "into must be"),
        ({"into": "/nowhere/at/all.md"}, "No such file or directory"),
        ({"into": "/dev/null"}, "not a regular file"),
        ({"into": "/tmp"}, "cannot write to '/tmp'"),
        ({"into": "x.md", "words": 10**15}, "no room"),
        ({"on_progress": "print"}, "on_progress must be"),
        ({"on_progress": later}, "on_progress must be a plain function, not an async one"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(
    runtime: str, changes: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simulator = Simulator()
    arguments = {"task": TASK, "words": 60, **changes}

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            with pytest.raises(InvalidInput, match=said):
                await chat.write(arguments.pop("task"), **arguments)
        assert simulator.received == 0
        with pytest.raises(ConversationClosed):
            await chat.write(TASK, words=60)

    play(runtime, scenario)


def test_the_same_text_can_be_asked_for_anew_where_it_has_no_file(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, on_busy="fork") as chat:
            await chat.write(TASK, words=60)
            await chat.write(TASK, words=60)
            assert len(chat.messages) == 4
            written = await chat.write(TASK, words=80, outline="One\nTwo")
            assert written.titles == ("One", "Two")

    play(runtime, scenario)


def test_thinking_does_not_get_into_the_text(runtime: str, tmp_path: Path) -> None:
    from agentkit import Reasoning, Text

    provider = ScriptedProvider([assistant(Reasoning("Let me see."), Text(prose(60)))])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            written = await chat.write(TASK, words=60, into=tmp_path / "x.md")
            assert written.text == prose(60) + "\n"

    play(runtime, scenario)
    assert [file.name for file in tmp_path.iterdir()] == ["x.md"]
