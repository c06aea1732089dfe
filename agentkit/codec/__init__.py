"""Values to JSON and back without loss: documents of messages, records of the journal, OpenAI's chat dicts.

Only the public names live here. `_convert` knows the classes and their tags, `_json` the text, `_document` the
documents and their versions, `_openai` the dicts of OpenAI's chat completions.
"""

from __future__ import annotations

from agentkit.codec._document import decode_record, encode_record, messages_from_json, messages_to_json
from agentkit.codec._openai import from_openai, to_openai

__all__ = [
    "decode_record",
    "encode_record",
    "from_openai",
    "messages_from_json",
    "messages_to_json",
    "to_openai",
]
