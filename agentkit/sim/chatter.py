"""Small talk: what the simulator says when it is given no order. It never pretends to be more than it is. Pure."""

from __future__ import annotations

import re

from agentkit.sim.text import Dice, sentence
from agentkit.sim.thread import Thread

LABEL = "This is the agentkit simulator: there is no AI behind it."

_NAME = re.compile(r"\bmy\s+name\s+is\s+([^\W\d_][\w'-]*)", re.IGNORECASE)
_ASKS_NAME = re.compile(r"\b(?:what(?:'s|\s+is)\s+my\s+name|who\s+am\s+i)\b", re.IGNORECASE)
_GREETING = re.compile(r"^\W*(?:hi|hello|hey|good\s+(?:morning|day|evening))\b", re.IGNORECASE)
_TOPIC = re.compile(r"[^\W\d_]{5,}")
_PLAIN = frozenset(
    {"about", "could", "please", "should", "their", "there", "think", "where", "which", "would", "write"}
)
_LEADS = ("Done:", "Good news:", "Here it is:", "As it happens,")
_TURNS = (
    "You mention {topic}.",
    "On {topic}, I can only tell you about the shore.",
    "{topic} again? Then listen.",
    "That reminds me of {topic} by the sea.",
)
_HELP = 'Try "write 300 words", "call a tool", "stop at 64 tokens" or "fail with 429 twice".'


def lead(seed: int, place: int) -> str:
    """Words before the result of a tool."""
    return _LEADS[(seed + place) % len(_LEADS)]


def chat(seed: int, thread: Thread) -> str:
    """An answer to the last words of the user, out of the words before them."""
    said = _answer(seed, thread)
    first = not any(message.role == "assistant" for message in thread.context)
    return f"{LABEL} {said}" if first else said


def _answer(seed: int, thread: Thread) -> str:
    order = thread.order
    dice = Dice(seed, "chat", thread.fingerprint)
    if _ASKS_NAME.search(order):
        name = _name(thread)
        return f"Your name is {name}." if name else "You have not told me your name."
    introduced = _NAME.search(order)
    if introduced:
        return f"Pleased to meet you, {introduced[1]}. {sentence(dice)}"
    if _GREETING.search(order):
        return f"Hello. {_HELP}"
    return f"{_turn(dice, order)} {sentence(dice)} {sentence(dice)}"


def _name(thread: Thread) -> str | None:
    told = [found[1] for said in thread.context if said.role == "user" for found in _NAME.finditer(said.text)]
    return told[-1] if told else None


def _turn(dice: Dice, order: str) -> str:
    topics = [word for word in _TOPIC.findall(order[:2000]) if word.lower() not in _PLAIN]
    if not topics:
        return f"I have no orders in that. {_HELP}"
    return dice.pick(_TURNS).format(topic=dice.pick(topics))
