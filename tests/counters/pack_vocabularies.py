"""Make the packed vocabularies of agentkit/counters/data from the packages that publish them.

    python tests/counters/pack_vocabularies.py

Each table is checked against the SHA-256 of the text file in which it is published, before and after it is packed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import attrs

from agentkit.counters import _packed

DATA = Path(_packed.__file__).parent / "data"


@attrs.frozen
class Source:
    """Where a vocabulary is published."""

    package: str
    file: str
    sha256: str


SOURCES = {
    "o200k": Source(
        "llama-index-core==0.14.25",
        "llama_index/core/_static/tiktoken_cache/fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "qwen2": Source(
        "dashscope==2.0.2",
        "dashscope/resources/qwen.tiktoken",
        "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
    ),
}


def published(source: Source) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", folder)
        subprocess.run([*pip, source.package], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(source.file)


def tokens_of(text: bytes) -> list[bytes]:
    """The tokens by rank; the ranks of a file that can be packed have no gap."""
    pairs = sorted((int(rank), b64decode(token)) for token, rank in map(bytes.split, text.splitlines()))
    if [rank for rank, _ in pairs] != list(range(len(pairs))):
        raise ValueError("the ranks have gaps")
    return [token for _, token in pairs]


def checked(name: str, text: bytes) -> bytes:
    if sha256(text).hexdigest() != SOURCES[name].sha256:
        raise ValueError(f"{name} is not the file that is pinned")
    return text


def main() -> None:
    for name, source in SOURCES.items():
        packed = _packed.pack(tokens_of(checked(name, published(source))))
        checked(name, _packed.as_tiktoken(_packed.unpack(packed)))
        (DATA / f"{name}.xz").write_bytes(packed)
        print(f"{name}: {len(packed)} bytes")


if __name__ == "__main__":
    main()
