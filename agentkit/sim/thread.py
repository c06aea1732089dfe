"""Which part of a conversation a reply answers, and which part it continues. Pure."""

from __future__ import annotations

import re
from functools import cached_property

from attrs import frozen

from agentkit.sim.continuing import ORDER
from agentkit.sim.talk import Said
from agentkit.sim.text import digest

_CONTINUE = re.compile(
    r"^\W*(?:please\s+|now\s+|and\s+)*(?:continue|go\s+on|carry\s+on|keep\s+going)\b"
    r"|\b(?:continue|go\s+on|carry\s+on)\s+(?:exactly|directly|precisely|from|where|right|your|the\s+(?:reply|text|answer))",
    re.IGNORECASE,
)
_REPEAT = re.compile(r"\b(?:repeat|begin|start|echo)", re.IGNORECASE)
_QUOTED = re.compile(
    r'```\n?(.+?)\n?```|"(.+)"|\u201c(.+?)\u201d|\u00ab(.+?)\u00bb|<([^<>]+)>|`([^`]+)`|\n\n(.+)', re.DOTALL
)


@frozen(kw_only=True)
class Thread:
    """One request, taken apart."""

    context: tuple[Said, ...]
    """Up to the message that is answered."""
    prefix: Said | None = None
    """What the assistant has said of its reply already."""
    request: str | None = None
    """The words of the user who asked to continue; None where nobody did."""

    @cached_property
    def order(self) -> str:
        """The last words of the user."""
        return next((said.text for said in reversed(self.context) if said.role == "user"), "")

    @cached_property
    def since(self) -> tuple[Said, ...]:
        """What came after the last words of the user: calls and their results."""
        places = [place for place, said in enumerate(self.context) if said.role == "user"]
        return self.context[places[-1] + 1 :] if places else self.context

    @property
    def fresh(self) -> bool:
        """A reply begins with this request, rather than going on."""
        return self.prefix is None and not self.since

    @cached_property
    def fingerprint(self) -> str:
        """Stands for the words of the context; the ids of calls and reasoning do not count."""
        return digest(*(_words(said) for said in self.context))

    @cached_property
    def origin(self) -> str:
        """Stands for the words up to the last ones of the user."""
        return digest(*(_words(said) for said in self.context[: len(self.context) - len(self.since)]))

    @property
    def echo(self) -> str:
        """The end of the reply so far that the user asked to hear again."""
        if self.prefix is None or not self.request or not _REPEAT.search(self.request):
            return ""
        said = self.prefix.text
        quotes = [group for match in _QUOTED.finditer(self.request) for group in match.groups() if group]
        exact = next((quote for quote in quotes if quote.strip() and said.endswith(quote)), None)
        if exact is not None:
            return exact
        return next((quote.strip() for quote in quotes if quote.strip() and said.rstrip().endswith(quote.strip())), "")


def _words(said: Said) -> tuple[object, ...]:
    return (said.role, said.text, *((call.name, call.arguments) for call in said.calls))


def without_quotes(text: str) -> str:
    """The user's own words in a request to continue."""
    return _QUOTED.sub(" ", text)


def unravel(messages: tuple[Said, ...]) -> Thread:
    """Find what is answered and what of the answer is there already."""
    parts: list[Said] = []
    request: str | None = None
    end = len(messages)
    while end:
        last = messages[end - 1]
        if last.role == "assistant" and not last.calls:
            parts.append(last)
        elif last.role == "user" and end > 1 and _asks_on(last, messages[end - 2]):
            request = last.text if end == len(messages) else request
        else:
            break
        end -= 1
    return Thread(context=messages[:end], prefix=_joined(parts), request=request)


def _asks_on(last: Said, before: Said) -> bool:
    if before.role != "assistant" or before.calls or not _CONTINUE.search(last.text):
        return False
    return not ORDER.search(without_quotes(last.text))  # says how to go on with the reply that it asks for


def _joined(parts: list[Said]) -> Said | None:
    if not parts:
        return None
    parts.reverse()
    return Said(
        role="assistant",
        text="".join(part.text for part in parts),
        reasoning="".join(part.reasoning for part in parts),
    )
