"""A store that notes what is asked of it and fails when told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from agentkit.errors import StoreError
from agentkit.store import ConversationInfo, Entry, Lease, Record, Store

T = TypeVar("T")


@frozen
class StoreCall:
    """One call: the method, its positional arguments, and its named ones."""

    method: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(factory=dict[str, Any])


class RecordingStore:
    """Passes every call on to `store` and notes it in `calls`.

    The call with the number `fail_at`, from 1, raises StoreError: "before" anything was done, or "after" it was done,
    as when the answer of a server is lost. Closing never fails.
    """

    def __init__(
        self, store: Store, *, fail_at: int | None = None, when: Literal["before", "after"] = "before"
    ) -> None:
        self.store = store
        self.fail_at = fail_at
        self.when = when
        self.calls: list[StoreCall] = []
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"RecordingStore({self.store!r})"

    @property
    def blocking(self) -> bool:
        return self.store.blocking

    def read(self, name: str, /, *, after: int = 0) -> Sequence[Entry]:
        return self._call(StoreCall("read", (name,), {"after": after}), lambda: self.store.read(name, after=after))

    def append(
        self, name: str, records: Sequence[Record], /, *, expect: int, lease: Lease, durable: bool = True
    ) -> int:
        options = {"expect": expect, "lease": lease, "durable": durable}
        call = StoreCall("append", (name, tuple(records)), options)
        return self._call(call, lambda: self.store.append(name, records, expect=expect, lease=lease, durable=durable))

    def acquire(self, name: str, owner: str, /) -> Lease | None:
        return self._call(StoreCall("acquire", (name, owner)), lambda: self.store.acquire(name, owner))

    def renew(self, lease: Lease, /) -> bool:
        return self._call(StoreCall("renew", (lease,)), lambda: self.store.renew(lease))

    def release(self, lease: Lease, /) -> None:
        self._call(StoreCall("release", (lease,)), lambda: self.store.release(lease))

    def withdraw(self, name: str, owner: str, /) -> None:
        self._call(StoreCall("withdraw", (name, owner)), lambda: self.store.withdraw(name, owner))

    def interrupt(self, name: str, /) -> None:
        self._call(StoreCall("interrupt", (name,)), lambda: self.store.interrupt(name))

    def fork(self, name: str, new_name: str, /, *, at: int) -> None:
        self._call(StoreCall("fork", (name, new_name), {"at": at}), lambda: self.store.fork(name, new_name, at=at))

    def list(self) -> Sequence[ConversationInfo]:
        return self._call(StoreCall("list"), self.store.list)

    def delete(self, name: str, /) -> bool:
        return self._call(StoreCall("delete", (name,)), lambda: self.store.delete(name))

    def close(self) -> None:
        self.calls.append(StoreCall("close"))
        self.store.close()

    def _call(self, call: StoreCall, do: Callable[[], T]) -> T:
        with self._lock:
            self.calls.append(call)
            fails = len(self.calls) == self.fail_at
        if fails and self.when == "before":
            raise StoreError(f"call {self.fail_at} ({call.method}) fails, as the test wants it")
        result = do()
        if fails:
            raise StoreError(f"the answer to call {self.fail_at} ({call.method}) is lost, as the test wants it")
        return result
