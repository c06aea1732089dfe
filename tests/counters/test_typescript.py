"""Types of TypeScript as OpenAI's own library writes them, letter for letter."""

from __future__ import annotations

import random

import pytest
from conversations import Tool
from test_harmony_counter import oracle  # noqa: F401 - the fixture

from agentkit.counters import HarmonyCounter
from agentkit.counters._typescript import namespace

oh = pytest.importorskip("openai_harmony")

NAMES = ("string", "number", "integer", "boolean", "object", "array", "null", "odd", None)
LISTS = (["string", "null"], ["integer"], ["array", "object"], [])
SAID = ("city name", "two\nlines", "Zürich", '"quoted"', "ends.", "up to 10")


def written(oracle, tool):  # noqa: F811
    listed = oh.DeveloperContent.new().with_function_tools(
        [oh.ToolDescription.new(tool.name, tool.description, dict(tool.parameters))]
    )
    message = oh.Message.from_role_and_content(oh.Role.DEVELOPER, listed)
    text = oracle.decode_utf8(oracle.render_conversation(oh.Conversation.from_messages([message])))
    return text.removeprefix("<|start|>developer<|message|>").removesuffix("<|end|>")


class Schemas:
    """A source of random schemas, right and wrong ones."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def maybe(self, share):
        return self.random.random() < share

    def some(self, values, most):
        return [self.random.choice(values) for _ in range(self.random.randint(0, most))]

    def schema(self, depth=0):
        made = {}
        kind = self.random.choice(NAMES + LISTS)
        if kind is not None:
            made["type"] = kind
        for key, share in (("description", 0.4), ("title", 0.15)):
            if self.maybe(share):
                made[key] = self.random.choice((*SAID, *SAID, 5))
        if self.maybe(0.2):
            made["examples"] = self.some((*SAID, 3, {"a": 1}), 3)
        if self.maybe(0.2):
            made["enum"] = self.random.choice((self.some((*SAID, 3, None), 3), "no list"))
        if self.maybe(0.3):
            made["default"] = self.random.choice((*SAID, 3, 1.5, None, True, [1, "a"], {"b": 1}))
        if self.maybe(0.1):
            made["nullable"] = self.random.choice((True, True, False, "odd"))
        if depth < 3:
            self.inner(made, depth + 1)
        return made

    def inner(self, made, depth):
        if self.maybe(0.2):
            made["oneOf"] = [self.schema(depth) for _ in range(self.random.randint(0, 3))]
        if self.maybe(0.05):
            made["anyOf"] = [self.schema(depth)]
        if self.maybe(0.6):
            names = self.random.sample(("p", "with space", "snake_case", "ü"), self.random.randint(0, 3))
            made["properties"] = {name: self.random.choice((self.schema(depth), True)) for name in names}
            made["required"] = self.random.choice((names[:1], "odd"))
        if self.maybe(0.5):
            made["items"] = self.random.choice((self.schema(depth), [self.schema(depth)], True))


@pytest.mark.parametrize("seed", range(8))
def test_types_are_those_of_the_reference(oracle, seed):  # noqa: F811
    """200 tools a seed."""
    schemas = Schemas(seed)
    for _ in range(200):
        shape = schemas.schema() if schemas.maybe(0.1) else {**schemas.schema(), "type": "object"}
        tool = Tool("fn", schemas.random.choice(("", "One line.", "Two\nlines", "a\n\nb\n")), shape)
        assert namespace([tool]) == written(oracle, tool), tool


def test_a_definition_that_is_no_json_is_counted_all_the_same():
    tool = Tool("f", "", {"type": "object", "properties": {"x": {"type": "string", "default": {1}}}})
    assert HarmonyCounter().tools([tool]) > 10
