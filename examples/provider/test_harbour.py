"""The rules of a provider, held for Harbour: pytest examples/provider/test_harbour.py."""

from __future__ import annotations

from harbour import harbour

from agentkit import FinishReason, Usage
from agentkit.testing import RecordedAnswer, provider_contract

TestHarbour = provider_contract(
    harbour,
    answers=[
        RecordedAnswer(
            body=b'{"thought": "A greeting."}\n{"text": "Ahoy, "}\n{"text": "Zo\xc3\xab!"}\n'
            b'{"end": "stop", "tokens": {"in": 5, "out": 4}}\n',
            reasoning="A greeting.",
            text="Ahoy, Zoë!",
            usage=Usage(input_tokens=5, output_tokens=4),
            content_type="application/x-ndjson",
        ),
        RecordedAnswer(body=b'{"text": "Ahoy, "}\n{"end": "limit"}', text="Ahoy, ", finish=FinishReason.LENGTH),
    ],
)
