"""Vocabularies: the packed files are the published ones, nothing is fetched, and no text is too much."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from pack_vocabularies import SOURCES, tokens_of

from agentkit.counters import _packed
from agentkit.counters._estimate import MARGIN, estimated
from agentkit.counters._packed import O200K, PATTERNS, PROXY, QWEN, as_tiktoken, pack, ranked, read, unpack
from agentkit.counters._vocabulary import SLACK, Vocabulary, pieces

DATA = Path(__file__).parent / "data"


def raw(name, pattern):
    return tiktoken.Encoding(name, pat_str=PATTERNS[pattern], mergeable_ranks=ranked(read(name)), special_tokens={})


@pytest.fixture(scope="module")
def o200k():
    return raw("o200k", "o200k")


# --- the files


@pytest.mark.parametrize("name", SOURCES)
def test_the_packed_file_holds_the_published_one(name):
    text = as_tiktoken(read(name))
    assert sha256(text).hexdigest() == SOURCES[name].sha256
    assert tokens_of(text) == read(name)


def test_packing_goes_both_ways():
    tokens = [b"a", b"\x00\xff", b"", bytes(255)]
    assert unpack(pack(tokens)) == tokens
    with pytest.raises(ValueError, match="gaps"):
        tokens_of(b64encode(b"a") + b" 1\n")


def test_the_pattern_is_that_of_the_library():
    from tiktoken_ext import openai_public

    published = openai_public.o200k_base
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
        assert published()["pat_str"] == PATTERNS["o200k"]


def test_qwen_has_the_published_vectors():
    encoding = raw("qwen2", "qwen2")
    texts = (DATA / "qwen2_vectors.inp").read_bytes().decode("utf-8").split("\n__ggml_vocab_test__\n")
    wanted = [line.split() for line in (DATA / "qwen2_vectors.out").read_text(encoding="utf-8").split("\n")]
    assert len(wanted) == 47
    for text, ids in zip(texts, wanted, strict=True):
        assert encoding.encode_ordinary(text) == list(map(int, ids))
        assert QWEN.count(text) == len(ids)


def test_qwen_reads_composed_texts():
    assert QWEN.count("cafe\u0301") == QWEN.count("caf\xe9") < O200K.count("cafe\u0301") + 1


# --- no network, no changes, little time

ALONE = """
import os, sys, time
before = dict(os.environ)
def refuse(event, args):
    if event.startswith("socket.") or event == "urllib.Request":
        raise RuntimeError(event)
sys.addaudithook(refuse)
from agentkit.counters import counter_for, warm
assert "tiktoken" not in sys.modules and "lzma" not in sys.modules
began = time.process_time()
counter = warm(counter_for("vllm", "openai/gpt-oss-20b"))
took = time.process_time() - began
assert counter.text("hello world") == 2, counter.text("hello world")
assert counter.text("<|end|>") == 5
assert dict(os.environ) == before
assert "tiktoken.registry" not in sys.modules or not sys.modules["tiktoken.registry"].ENCODINGS
print(took)
"""


def test_a_first_count_needs_no_network_and_changes_nothing():
    root = Path(__file__).parents[2]
    command = (sys.executable, "-c", ALONE)
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", cwd=root, timeout=100)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 10  # about 0.25 on a free machine; the bound only says that nothing waits


def test_many_threads_load_once():
    loads = []

    def load():
        loads.append(time.sleep(0.05))
        return len

    vocabulary, counts = Vocabulary("v", load), []
    threads = [threading.Thread(target=lambda: counts.append(vocabulary.count("four"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(loads), counts) == (1, [4] * 8)
    assert repr(vocabulary) == "<Vocabulary v>"


# --- texts that are too much for the library


@pytest.mark.parametrize("text", ["a", " ", "\n", "\xa0", "é", "中", "😀", "\ud800", "x ", "  \n", "\u0301", "?!"])
@pytest.mark.parametrize("vocabulary", [O200K, QWEN], ids=repr)
def test_a_million_of_anything(vocabulary, text):
    long = text * (1_000_000 // len(text))
    began = time.process_time()
    assert 0 < vocabulary.count(long) <= len(long.encode("utf-8", "surrogatepass")) + SLACK * 10
    assert time.process_time() - began < 30  # below one second on a free machine


@pytest.mark.parametrize("text", ["a", " ", "=", "é", "中", "ab", "\n", "9", "?!"])
def test_a_cut_within_a_run_hides_nothing(o200k, text):
    long = text * (350_000 // len(text))
    assert len(o200k.encode_ordinary(long)) <= O200K.count(long) <= len(o200k.encode_ordinary(long)) + 2 * 3 * SLACK


PIECE = st.sampled_from(
    ["word ", "  ", "\n", "a\n\n", " é", "中", "... ", "1234 ", "\t x", "don't ", "e\u0301 ", "\x1c ", "😀 ", "'s"]
)


@given(st.lists(PIECE, min_size=20, max_size=200).map("".join))
def test_safe_cuts_do_not_change_the_count(o200k, text):
    cut = list(pieces(text, 40))
    assert "".join(piece for piece, _ in cut) == text
    if not any(slack for _, slack in cut):
        assert sum(len(o200k.encode_ordinary(piece)) for piece, _ in cut) == len(o200k.encode_ordinary(text))


def test_a_cut_comes_before_a_space_after_a_word_or_where_it_must():
    assert list(pieces("aaaa bbbb", 6)) == [("aaaa", 0), (" bbbb", 0)]
    assert list(pieces("aaaabbbb", 6)) == [("aaaabb", 0), ("bb", SLACK)]
    assert list(pieces("a       b", 4)) == [("a", 0), ("    ", 0), ("   b", SLACK)]
    assert list(pieces("", 4)) == [("", 0)]


# --- failures


class PanicException(BaseException):
    pass


def test_what_cannot_be_encoded_is_encoded_in_halves_and_bytes_at_last():
    def encode(text):
        if "!" in text:
            raise PanicException
        return 1

    vocabulary = Vocabulary("v", lambda: encode)
    assert vocabulary.count("x" * 100) == 1
    assert vocabulary.count("x" * 32 + "!" * 32) == 1 + 32
    assert vocabulary.count("!é\ud800") == 1 + 2 + 3
    assert vocabulary.failure is None


def test_an_interruption_is_no_failure():
    def encode(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Vocabulary("v", lambda: encode).count("x")

    def load():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Vocabulary("v", load).count("x")


@pytest.mark.parametrize("error", [ImportError("no tiktoken"), PanicException("rust")])
def test_a_vocabulary_that_cannot_be_loaded_is_estimated_with_one_warning(error):
    from agentkit.counters import ChatMLCounter, HarmonyCounter, PlainCounter
    from agentkit.messages import user

    def load():
        raise error

    vocabulary = Vocabulary("broken", load)
    counters = [HarmonyCounter(vocabulary=vocabulary), ChatMLCounter(vocabulary=vocabulary), PlainCounter(vocabulary)]
    assert [counter.kind for counter in counters] == ["exact", "exact", "proxy"]
    with pytest.warns(RuntimeWarning, match="estimated: broken cannot be loaded") as seen:
        assert vocabulary.count("hello world") == estimated("hello world")
    assert vocabulary.count("hello") == estimated("hello")
    assert len(seen) == 1
    assert [counter.kind for counter in counters] == ["estimate"] * 3
    assert {counter.margin for counter in counters} == {MARGIN}
    assert all(counter.message(user("hello")) > 1 for counter in counters)


def test_a_missing_file_is_a_failure_of_that_kind(monkeypatch):
    monkeypatch.setattr(_packed.pkgutil, "get_data", lambda *_: None)
    with pytest.raises(FileNotFoundError):
        read("o200k")


# --- estimates


def test_estimates_are_near_for_common_texts():
    texts = [
        Path(__file__).read_text(encoding="utf-8"),
        "Wie wird das Wetter morgen in Oslo? " * 5,
        "Привет, как дела? " * 9,
    ]
    for text in texts:
        assert abs(estimated(text) / O200K.count(text) - 1) < MARGIN
    assert estimated("") == 0
    assert estimated("a") == 1


@given(st.text(max_size=300))
def test_no_estimate_runs_away(text):
    assert 0 <= estimated(text) <= 2 * len(text.encode("utf-8", "surrogatepass")) + 1


def test_runs_and_codes_are_taken_out():
    assert estimated("-" * 80) < 4
    assert estimated("0123456789abcdef" * 20) > 150
    assert estimated("a_long_identifier_of_many_words_and_letters") < 20
    assert estimated("\x00\x07") == 2


@pytest.mark.parametrize("text", ["a" * 10**6, " " * 10**6, "0f" * 500_000, "😀" * 10**6])
def test_estimates_of_a_million_characters(text):
    began = time.process_time()
    assert estimated(text) > 0
    assert time.process_time() - began < 30


def test_the_proxy_counts_each_digit_and_expects_less_of_other_scripts():
    assert PROXY.count("2026") == 4 > O200K.count("2026")
    assert PROXY.count("weather") == O200K.count("weather")
    assert PROXY.count("Погода") > O200K.count("Погода")
