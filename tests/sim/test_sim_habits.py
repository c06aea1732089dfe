"""Orders for going on badly with a cut reply: what the simulator says then, by either way of asking for it."""

from __future__ import annotations

import json

import pytest
from sim_client import Heard, ask, assistant, stream, user

from agentkit.errors import InvalidInput
from agentkit.sim import Simulator
from agentkit.sim.continuing import WORDS
from agentkit.sim.habits import HABITS, SPOILT
from agentkit.sim.plan import Plan, Write
from agentkit.sim.script import parse
from agentkit.sim.talk import Said
from agentkit.sim.thread import unravel

CODE = "Here:\n\n```python\nprint(1)\nprint(2)\nprint(3)\n```\nDone."
TABLE = "| a | b |\n| - | - |\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |"
PAGE = json.dumps({"lamp": "lit", "stairs": [1, 2, 3], "keeper": {"name": "Ada", "years": 12}})
TELLING = "The keeper climbs the stair of the lighthouse at dusk, and lights the lamp that is the pride of the island, "
TELLS = f"{TELLING}and the gulls that were quiet all day go up and cry and follow the last ferry."
PLAIN = (TELLS, len(TELLING) + 14)
TEXTS = {
    "word_again": (TELLS, TELLS.index("house")),
    "fence_again": (CODE, CODE.index("(2)")),
    "fence_closed": (CODE, CODE.index("(2)")),
    "fenced": (PAGE, 20),
    "json_restart": (PAGE, 20),
    "header_again": (TABLE, TABLE.index("| 3")),
    "trimmed": ("The lamp is lit at night and out by day, as lamps are.", 28),
}
REPEAT = "Continue your reply. Begin by repeating the last words of it.\n\n"


def asked(seed: int, habit: str, *, quoted: bool, order: str = "", streamed: bool = False) -> Heard:
    """What a fresh simulator says after a cut: in its own way, or to a user who quotes the last words."""
    text, cut = TEXTS.get(habit, PLAIN)
    said = text[:cut]
    request = [user(REPEAT + said[-20:])] if quoted else []
    history = [user(f"{order or f'continue badly: {habit}'}. say {text}"), assistant(said), *request]
    return (stream if streamed else ask)(Simulator(seed), history)


def test_every_habit_has_words_and_a_name() -> None:
    assert list(WORDS) == list(HABITS)
    for name, words in WORDS.items():
        for order in (f"Continue {words}", f"continue badly: {name}", f"CONTINUE BADLY:{name.replace('_', ' ')}"):
            assert parse(f"{order}. write 9 words") == Plan(habit=name, speech=Write(9))


@pytest.mark.parametrize(
    "text", ["continue", "continue badly: nothing", "continue without me", "say continue in a loop"]
)
def test_what_names_no_habit_orders_none(text: str) -> None:
    assert parse(text).habit == ""


def test_an_order_about_the_next_reply_is_no_request_to_go_on_with_the_last() -> None:
    history = [user("say one"), assistant("one"), user("continue by restarting. say two")]
    assert ask(Simulator(), history).text == "two"
    parts = (Said(role="user", text="hi"), Said(role="assistant", text="x"))
    quoted = unravel((*parts, Said(role="user", text="Please continue.\n\ncontinue in a loop")))
    assert quoted.request is not None, "words that the reply itself has said are no order"


@pytest.mark.parametrize("quoted", [False, True], ids=["native", "asked"])
@pytest.mark.parametrize("habit", list(HABITS))
def test_what_is_said_has_the_rest_at_its_end(habit: str, quoted: bool) -> None:
    text, cut = TEXTS.get(habit, PLAIN)
    heard = [asked(seed, habit, quoted=quoted) for seed in range(6)]
    rest = text[cut:]
    for each in heard:
        assert each.status == 200
        if habit in SPOILT:
            assert not each.text.endswith(rest)
        elif habit == "json_restart":
            assert json.loads(each.text) == json.loads(text)
            assert each.text != text
        else:
            assert each.text.rstrip("`\n").endswith(rest.rstrip("`\n").lstrip())
    faithful = habit == "exact" or (habit in ("echo", "echo_changed") and not quoted)
    assert [each.text == rest for each in heard] == [faithful] * len(heard)


def test_some_of_them_word_for_word() -> None:
    text, cut = PLAIN
    said = {name: asked(3, name, quoted=True).text for name in HABITS}
    assert said["echo"] == text[cut - 20 :]
    assert said["restart"] == text
    assert said["silence"].strip() == ""
    assert said["remark"].endswith("\n" + text[cut - 20 :])
    assert said["remark_alone"].endswith("\n" + text[cut:])
    assert said["header_again"] == "| a | b |\n| - | - |\n| 3 | 4 |\n| 5 | 6 |"
    assert len(said["loop"]) > 5000
    assert said["word_again"] == text[text.index("lighthouse") :]


@pytest.mark.parametrize("habit", ["fence_again", "fenced", "header_again", "word_again", "trimmed", "paraphrase"])
def test_where_a_habit_makes_no_sense_the_reply_goes_on_as_it_should(habit: str) -> None:
    history = [user(f"continue badly: {habit}. say 1, 2, 3, 4, 5"), assistant("1, 2"), user(f"{REPEAT}1, 2")]
    assert ask(Simulator(), history[:2]).text == ", 3, 4, 5"
    assert ask(Simulator(), history).text == "1, 2, 3, 4, 5"


@pytest.mark.parametrize("habit", list(HABITS))
def test_streams_words_and_seeds(habit: str) -> None:
    whole = asked(5, habit, quoted=True)
    for again in (
        asked(5, habit, quoted=True),
        asked(5, habit, quoted=True, streamed=True),
    ):
        assert (again.text, again.finish) == (whole.text, whole.finish)
    named = asked(5, habit, quoted=True, order=f"continue {WORDS[habit]}")
    assert named.text[-9:] == whole.text[-9:] or habit in SPOILT


def test_a_habit_lasts_as_long_as_the_reply() -> None:
    simulator = Simulator()
    order = "continue by restarting. write 60 words, stop at 20 tokens"
    first = ask(simulator, order).text
    for request in ((), (user("please continue"),), (user("please continue"), assistant("x"), user("go on"))):
        again = ask(simulator, [user(order), assistant(first), *request])
        assert again.text.startswith(first)
        assert again.finish == "length"
    assert ask(simulator, [user(order), assistant(first), user("say other")]).text == "other"


def test_a_beginning_of_somebody_else_is_gone_on_with_badly_too() -> None:
    simulator = Simulator()
    said = "Nobody here has said this, and so it goes on anyhow"
    heard = ask(simulator, [user("continue by restarting. write 40 words"), assistant(said)])
    assert heard.text.startswith(said + ", and ")


def test_a_beginning_with_other_space_finds_its_place() -> None:
    order = user(f"say {PAGE}")
    for value in (PAGE, json.dumps(json.loads(PAGE), indent=2)):
        signs = value[: value.index('"Ada"')]
        for said in (signs, signs.rstrip()):
            heard = ask(Simulator(), [order, assistant(said)])
            assert json.loads(said + heard.text) == json.loads(PAGE)


def test_what_is_asked_for_is_echoed_with_its_space() -> None:
    history = [user(f"say {CODE}"), assistant(CODE[: CODE.index("print(2)")]), user(f"{REPEAT}print(1)\n")]
    assert ask(Simulator(), history).text == CODE[CODE.index("print(1)") :]


def test_nothing_to_go_on_from_and_nothing_left_to_say() -> None:
    simulator = Simulator()
    assert ask(simulator, [user("continue with silence. say ok"), assistant("ok")]).text == ""
    assert (
        ask(simulator, [user("continue with silence. think first. say ok"), assistant("", reasoning="x")]).text == "ok"
    )
    more = ask(simulator, [user("continue by restarting. say ok"), assistant("ok"), user("go on")])
    assert more.text.startswith("ok ")
    assert len(more.text.split()) == 61


def test_a_script_and_the_control_endpoint_order_it_for_the_whole_reply() -> None:
    scripted, controlled = Simulator(), Simulator()
    commands = ["continue with silence, cut@9", "write 30 words", "cut@3, continue by restarting"]
    scripted.script(commands)
    answer = controlled.handle("POST", "/control", {}, json.dumps({"script": commands}).encode())
    assert answer.status == 200
    for simulator in (scripted, controlled):
        order = [user("write 30 words")]
        whole = ask(Simulator(), order).text
        first = ask(simulator, order)
        assert whole.startswith(first.text)
        assert len(first.text.split()) == 9
        assert ask(simulator, [*order, assistant(first.text)]).text.strip() == ""
        assert ask(simulator, [*order, assistant(first.text)]).text == whole[: len(" ".join(whole.split()[:3]))]
        assert ask(simulator, [*order, assistant(first.text)]).text == whole
    with pytest.raises(InvalidInput, match="'continue badly: no such'"):
        scripted.script(["continue badly: no such"])
