"""A pickle's opcodes → plain values, where nothing that the file says is run.

Python's unpickler imports, calls and sets whatever a pickle names, makes room for any index and length, and hashes
what it is given. This one knows only the opcodes that the published format is written with. A name becomes a
`Global`, which does nothing; keys are text or small numbers; what is built is never compared, printed or walked
through here, and takes no more memory than the file plus some bytes an opcode, of which there is a bounded number.

Opcodes and their arguments are those of Python's `pickletools`, which is their reference.
"""

from __future__ import annotations

import pickle
import pickletools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from convert.errors import RefusedError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT = 1_000_000
"""Opcodes of one file; a word takes about ten in the two maps, and the published file has 9,490."""
LINE = 1000  # bytes of a name
LONG = 16  # bytes of a whole number; torch's magic number has ten

_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_CONTAINERS: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    )
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_CODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}


@dataclass(frozen=True)
class Global:
    """What a pickle calls a class or a function: its name."""

    name: str


class Record:
    """An object of the pickle: its class by name, and its attributes as they were written."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.attributes: dict[str, Any] = {}


class Stream:
    """The bytes of a pickle: no read asks for more than there are, since room is made for all that is asked for."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._end = stream.tell() + size

    @property
    def left(self) -> int:
        return self._end - self._stream.tell()

    def read(self, count: int) -> bytes:
        return self._stream.read(min(count, self.left))

    def readline(self) -> bytes:
        return self._stream.readline(min(LINE, self.left))


class Counter:
    """How many opcodes are left to a file and the records in it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.left = limit

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError("it is made of more parts than any model")


def load(
    stream: Stream,
    known: Mapping[str, Callable[..., object]],
    counter: Counter,
    refer: Callable[[object], object] | None = None,
) -> object:
    """The value of the pickle that begins where `stream` stands, which is then behind its end.

    `known` are the names that it may use, and what to make of their arguments; `refer` says what a persistent id
    stands for. Raises `RefusedError` for any other name, `UnpicklingError` and `ValueError` for what is broken.
    """
    return _Machine(stream, known, counter, refer).run()


class _Machine:
    def __init__(
        self,
        stream: Stream,
        known: Mapping[str, Callable[..., object]],
        counter: Counter,
        refer: Callable[[object], object] | None,
    ) -> None:
        self.stream = stream
        self.known = known
        self.counter = counter
        self.refer = refer
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, object] = {}
        self.steps: dict[str, Callable[[Any], None]] = {
            "PROTO": self._protocol,
            "FRAME": lambda _: None,
            "MARK": lambda _: self.marks.append(len(self.stack)),
            "MEMOIZE": lambda _: self._put(len(self.memo)),
            "BINPUT": self._put,
            "LONG_BINPUT": self._put,
            "BINGET": self._get,
            "LONG_BINGET": self._get,
            "TUPLE": lambda _: self.stack.append(tuple(self._marked())),
            "APPEND": lambda _: self._extend([self._pop()]),
            "APPENDS": lambda _: self._extend(self._marked()),
            "ADDITEMS": lambda _: self._add(self._marked()),
            "SETITEM": lambda _: self._set([self._pop(), self._pop()][::-1]),
            "SETITEMS": lambda _: self._set(self._marked()),
            "GLOBAL": lambda names: self._name(*names.split(" ")),
            "STACK_GLOBAL": lambda _: self._name(*[self._pop(), self._pop()][::-1]),
            "REDUCE": lambda _: self._call(),
            "NEWOBJ": lambda _: self._call(),
            "BUILD": lambda _: self._build(),
            "BINPERSID": lambda _: self._refer(),
        }

    def run(self) -> object:
        while True:
            self.counter.count()
            code = self.stream.read(1)
            if not code:
                raise pickle.UnpicklingError("it ends before its end")
            opcode = _CODES.get(code)
            if opcode is None:
                raise pickle.UnpicklingError(f"{code!r} is no opcode")
            if opcode.name == "STOP":
                return self._pop()
            self._step(opcode)

    def _step(self, opcode: pickletools.OpcodeInfo) -> None:
        name = opcode.name
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            self.stack.append(_CONTAINERS[name]())
        elif name in _TUPLES:
            self.stack.append(tuple([self._pop() for _ in range(_TUPLES[name])][::-1]))
        elif name in _LITERALS or name in self.steps:
            # Only here: what the format does not have is not even read.
            argument = opcode.arg.reader(self.stream) if opcode.arg else None  # type: ignore[arg-type]
            if name in self.steps:
                self.steps[name](argument)
            elif isinstance(argument, int) and argument.bit_length() >= 8 * LONG:
                raise pickle.UnpicklingError("a whole number in it is too large")
            else:
                self.stack.append(argument)
        else:
            raise pickle.UnpicklingError(f"it uses {name}, which the published format does not")

    def _pop(self) -> Any:  # noqa: ANN401 - any value
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise pickle.UnpicklingError("it takes a value where there is none")
        return self.stack.pop()

    def _marked(self) -> list[Any]:
        if not self.marks:
            raise pickle.UnpicklingError("it goes back to a mark where there is none")
        height = self.marks.pop()
        values = self.stack[height:]
        del self.stack[height:]
        return values

    def _top(self, kind: type) -> Any:  # noqa: ANN401 - of `kind`
        value = self._pop()
        if type(value) is not kind:
            raise pickle.UnpicklingError(f"it adds to what is no {kind.__name__}")
        self.stack.append(value)
        return value

    def _protocol(self, version: int) -> None:
        if not 2 <= version <= 5:
            raise pickle.UnpicklingError(f"protocol {version} is unknown")

    def _put(self, index: int) -> None:
        value = self._pop()
        self.memo[index] = value
        self.stack.append(value)

    def _get(self, index: int) -> None:
        if index not in self.memo:
            raise pickle.UnpicklingError("it takes from its memo what it did not put there")
        self.stack.append(self.memo[index])

    def _extend(self, values: list[Any]) -> None:
        self._top(list).extend(values)

    def _add(self, values: list[Any]) -> None:
        self._top(set).update(map(_text, values))

    def _set(self, values: list[Any]) -> None:
        keys = values[::2]
        if len(values) % 2:
            raise pickle.UnpicklingError("a key has no value")
        self._top(dict).update(zip(map(_key, keys), values[1::2], strict=True))

    def _name(self, module: object, name: object = None) -> None:
        full = f"{_text(module)}.{_text(name)}"
        if full not in self.known:
            raise refusal(full)
        self.stack.append(Global(full))

    def _call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Global or type(arguments) is not tuple:
            raise pickle.UnpicklingError("it calls what is no function")
        try:
            self.stack.append(self.known[function.name](*arguments))
        except TypeError as error:
            raise pickle.UnpicklingError(
                f"it calls {function.name} with other arguments than the format has"
            ) from error

    def _build(self) -> None:
        state = self._pop()
        record = self._top(Record)
        if type(state) is not dict or not all(type(name) is str for name in state):
            raise pickle.UnpicklingError(f"the state of a {record.kind} is no set of attributes")
        record.attributes = state

    def _refer(self) -> None:
        if self.refer is None:
            raise RefusedError("refused: it refers to something outside of itself; nothing of it was run")
        self.stack.append(self.refer(self._pop()))


def _text(value: object) -> str:
    if type(value) is not str:
        raise pickle.UnpicklingError("something else than text is a name")
    return value


def _key(value: object) -> str | int:
    # An index of a word. Numbers without a bound could be chosen so that they all hash alike.
    if type(value) is int and 0 <= value < LIMIT:
        return value
    return _text(value)


def refusal(name: str) -> RefusedError:
    """The error for a name that is not of the published format."""
    return RefusedError(
        f"refused: it asks for {shown(name)}, which the published format does not hold and which may be code; "
        "nothing of it was run",
        hint="Take the weights from where they are published; what carries code is nobody's model.",
    )
