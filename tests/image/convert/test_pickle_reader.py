"""Pickles that carry code, and files that are none: refused by name, and nothing of them is run."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from convert.errors import ConvertError, RefusedError
from convert.pickle_reader import read

ROOT = Path(__file__).parents[3]


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def written(folder: Path, content: bytes | object) -> Path:
    file = folder / "model.pickle"
    file.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 4))
    return file


def nested(record: bytes) -> Calls:
    """A tensor whose storage is this record."""
    storage = Calls(torch.storage._load_from_bytes, record)
    return Calls(torch._utils._rebuild_tensor_v2, storage, 0, (1,), (1,), False, OrderedDict())


def legacy(content: object) -> bytes:
    """torch's legacy format with an object of our own inside."""
    magic, protocol, system = 0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}
    return b"".join(pickle.dumps(part, 2) for part in (magic, protocol, system, content, []))


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.system, "touch {}", "posix.system"),
        (builtins.eval, "open('{}', 'w')", "builtins.eval"),
        (builtins.exec, "open('{}', 'w')", "builtins.exec"),
        (subprocess.check_output, ["touch", "{}"], "subprocess.check_output"),
        (builtins.getattr, "{}", "builtins.getattr"),
        (pickle.loads, b"", "_pickle.loads"),
        (torch.load, "{}", "torch.serialization.load"),
    ],
)
def test_code_is_refused_by_name_and_never_run(
    function: Callable[..., object],
    argument: str | bytes | list[str],
    name: str,
    protocol: int,
    tmp_path: Path,
) -> None:
    trace = tmp_path / "trace"
    spoilt = [part.format(trace) for part in argument] if isinstance(argument, list) else argument
    spoilt = spoilt.format(trace) if isinstance(spoilt, str) else spoilt
    # Protocol 2 writes some modules under the names that Python 2 had for them.
    expected = name.rpartition(".")[2] if protocol == 2 else name
    file = written(tmp_path, pickle.dumps({"encoder": Calls(function, spoilt)}, protocol))
    with pytest.raises(RefusedError, match=expected) as refused:
        read(file)
    assert "nothing of it was run" in str(refused.value)
    assert refused.value.hint
    assert not trace.exists()


@pytest.mark.parametrize("function", [os.system, builtins.eval, subprocess.call])
def test_code_in_a_tensors_record_is_refused_by_name(function: Callable[..., object], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    record = legacy(Calls(function, f"open({str(trace)!r}, 'w')" if function is eval else f"touch {trace}"))
    with pytest.raises(RefusedError, match=function.__name__):
        read(written(tmp_path, nested(record)))
    assert not trace.exists()


def test_code_in_a_record_in_a_record_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    inner = pickle.dumps(Calls(os.system, f"touch {trace}"))
    with pytest.raises(RefusedError):
        read(written(tmp_path, nested(legacy(Calls(torch.storage._load_from_bytes, inner)))))
    assert not trace.exists()


def test_a_zip_in_a_tensors_record_is_not_opened(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save(torch.zeros(3), stream)
    with pytest.raises(ConvertError, match="no legacy record"):
        read(written(tmp_path, nested(stream.getvalue())))


def _opcodes(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


REDUCER = b"ctorch._utils\n_rebuild_parameter\n"


@pytest.mark.parametrize(
    "program",
    [
        _opcodes(REDUCER, b"}", b"X\x05\x00\x00\x00_body", b"cos\nsystem\n", b"sb"),
        _opcodes(REDUCER, b"N}X\x05\x00\x00\x00_bodyK\x01s\x86b"),  # BUILD: setattr(function, "_body", 1)
        _opcodes(b"cmodels\nEncoder\nN}X\x0c\x00\x00\x00__setstate__K\x01s\x86b"),  # the same on a class
        _opcodes(b"ccollections\nOrderedDict.__init__\n"),
        _opcodes(b"cmodels\n__builtins__\n"),
        _opcodes(b"\x82\x01"),  # EXT1: copyreg's registry
        _opcodes(b"Q"),  # persistent id without a stack
        _opcodes(b"K\x01Q"),  # persistent id
        _opcodes(b"(cos\nsystem\nX\x01\x00\x00\x00xo"),  # OBJ
        _opcodes(b"(X\x01\x00\x00\x00xios\nsystem\n"),  # INST
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x7f.",  # a protocol of the future
        b"\x80\x04]" + b"\x94h\x00a" * 1000 + b".",  # a list that holds itself
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",  # BINBYTES8 of 9 EB
        b"\x80\x04" + b"(" * 100_000,
    ],
)
def test_opcodes_by_hand_end_as_an_error(program: bytes, tmp_path: Path) -> None:
    with pytest.raises(ConvertError):
        read(written(tmp_path, program))


PICKLES = sorted((Path(__file__).parent / "pickles").iterdir())


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _in_one_another(open_: bytes, close: bytes, depth: int) -> bytes:
    return open_ * depth + b"N" + close * depth


def _doubled(pair: bytes, depth: int) -> bytes:
    """Values that hold the one before twice: 2^depth of them for who walks through."""
    return b"N" + b"".join(b"r" + struct.pack("<I", i) + b"j" + struct.pack("<I", i) + pair for i in range(depth))


PROGRAMS = {
    "memo index in a memoized value": b"Nr\xff\xff\xff\xff",
    "memo index as text": b"Np4000000000\n",
    "memo read before": b"j\xff\xff\xff\x7f",
    "tuples in tuples": _in_one_another(b"", b"\x85", 900_000),
    "lists in lists": _in_one_another(b"](", b"e", 250_000),
    "objects in objects": _in_one_another(b"cmodels\nEncoder\n)\x81}X\x01\x00\x00\x00x", b"sb", 100_000),
    "doubled tuples": _doubled(b"\x86", 60),
    "doubled tuples as a key": b"}" + _doubled(b"\x86", 60) + b"K\x01s",
    "doubled tuples in a set": b"\x8f(" + _doubled(b"\x86", 60) + b"\x90",
    "doubled tuples frozen": b"(" + _doubled(b"\x86", 60) + b"\x91",
    "doubled tuples as a state": b"cmodels\nEncoder\n)\x81" + _doubled(b"\x86", 60) + b"b",
    "doubled tuples as a persistent id": _doubled(b"\x86", 60) + b"Q",
    "doubled tuples as arguments": b"cbuiltins\nset\n" + _doubled(b"\x86", 60) + b"R",
    "doubled tuples as a key of an ordered dict": (
        b"ccollections\nOrderedDict\n]" + _doubled(b"\x86", 60) + b"K\x01\x86a\x85R"
    ),
    "doubled tuples as a key of a new ordered dict": (
        b"ccollections\nOrderedDict\n]" + _doubled(b"\x86", 60) + b"K\x01\x86a\x85\x81"
    ),
    "an ordered dict of what is none": b"ccollections\nOrderedDict\n}}\x86R",
    "doubled tuples as a name": _doubled(b"\x86", 60) + _text("x") + b"\x93",
    "doubled tuples called": _doubled(b"\x86", 60) + b")R",
    "persistent id in text": b"Pa\n",
    "a list of itself as a key": b"}]q\x00h\x00ah\x00K\x01s",
    "number of two gigabytes": b"\x8b\xff\xff\xff\x7f",
    "number of a megabyte": b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20),
    "number of 200 bytes": b"\x8a\xc8" + b"\x7f" * 200,
    "number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n",
    "text of four gigabytes": b"X\xff\xff\xff\xff",
    "text of eight exabytes": b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    "bytes of eight exabytes": b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a frame of eight exabytes": b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    "registered extensions": b"\x84\xff\xff\xff\x7f",
    "append to a dict": b"}K\x01a",
    "append to an object": b"cmodels\nEncoder\n)\x81K\x01a",
    "items into a list": b"](K\x01K\x02u",
    "add to a list": b"](K\x01\x90",
    "a key without a value": b"}(K\x01u",
    "state of a set": b"\x8f}b",
    "state of a name": b"cmodels\nEncoder\n}b",
    "a call of a call": b"cbuiltins\nset\n)R)R",
    "a call of a class with arguments": b"cmodels\nEncoder\n(" + b"N" * 1000 + b"tR",
    "an object with arguments by name": b"cmodels\nEncoder\n)}\x92",
    "marks without an end": b"(" * 999_999,
    "more parts than any model": b"}" * 2_000_000,
    "an out-of-band buffer": b"\x97",
    "stopped twice": b"..",
    "an end in the middle": b"(K\x01",
    "escape sequences in a name": b"cmodels\n\x1b]0;owned\x07\n",
    "a name of a megabyte": b"c" + b"m" * (1 << 20) + b"\nx\n",
}


@pytest.fixture(scope="module")
def reader() -> list[str]:
    """Reads a file and says how much memory that took, in MB."""
    code = (
        "import resource, sys, torch\n"
        "from pathlib import Path\n"
        "from convert.errors import ConvertError\n"
        "from convert.published import load\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "for file in sys.argv[1:]:\n"
        "    before = peak()\n"
        "    try:\n"
        "        load(Path(file))\n"
        "        sys.exit('was read')\n"
        "    except ConvertError as error:\n"
        "        print(peak() - before, str(error).removeprefix(file), flush=True)\n"
    )
    return [sys.executable, "-c", code]


def _complaints(reader: list[str], files: list[Path]) -> list[str]:
    begin = time.process_time()
    done = subprocess.run(
        [*reader, *map(str, files)],
        env={"PYTHONPATH": str(ROOT / "image")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.process_time() - begin < 60
    return done.stdout.splitlines()


def test_what_did_harm_is_refused_in_little_memory(reader: list[str]) -> None:
    lines = _complaints(reader, PICKLES)
    assert len(lines) == len(PICKLES) == 6
    for line in lines:
        assert int(line.split()[0]) < 50, line


@pytest.mark.slow
@pytest.mark.parametrize("place", ["file", "record"])
def test_what_opcodes_can_do_is_refused_in_little_memory(place: str, reader: list[str], tmp_path: Path) -> None:
    files = []
    for index, program in enumerate(PROGRAMS.values()):
        content = b"\x80\x02" + program + b"."
        file = tmp_path / f"{index}.pickle"
        file.write_bytes(content if place == "file" else pickle.dumps(nested(content), 4))
        files.append(file)
    lines = _complaints(reader, files)
    assert len(lines) == len(files)
    for name, line in zip(PROGRAMS, lines, strict=True):
        assert int(line.split()[0]) < 250, name
        assert len(line) < 400, name
        assert line.isprintable(), name


def test_what_one_file_does_to_a_class_does_not_reach_the_next(tmp_path: Path, published: Path) -> None:
    with pytest.raises(ConvertError):
        read(written(tmp_path, _opcodes(b"cmodels\nEncoder\nN}X\x04\x00\x00\x00kindK\x01s\x86b")))
    assert read(published).kind == "caption.ImageToWordModel"


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((7,), (1,), 0),
        ((2,), (6,), 0),
        ((1,), (1,), 6),
        ((2**39, 2**39), (1, 1), 0),
        ((-1,), (1,), 0),
        ((1, 1), (1,), 0),
    ],
)
def test_a_tensor_outside_of_its_storage(
    size: tuple[int, ...], stride: tuple[int, ...], offset: int, tmp_path: Path
) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = torch.zeros(6).storage()  # type: ignore[no-untyped-call]
        torch.save(storage, stream, _use_new_zipfile_serialization=False)
    record = Calls(torch.storage._load_from_bytes, stream.getvalue())
    tensor = Calls(torch._utils._rebuild_tensor_v2, record, offset, size, stride, False, OrderedDict())
    with pytest.raises(ConvertError, match="broken"):
        read(written(tmp_path, tensor))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x1f\x8brest", "gzip"),
        (b"x\x9crest", "zlib"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "web page or XML"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x89PNG\r\n", "no pickle"),
        (pickle.dumps([1, 2]), "no caption.ImageToWordModel"),
    ],
)
def test_what_people_have_in_hand_instead(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=message):
        read(written(tmp_path, content))


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConvertError, match="is not a file"):
            read(path)


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9, 0.99999])
def test_a_truncated_download(share: float, published: Path, tmp_path: Path) -> None:
    content = published.read_bytes()
    with pytest.raises(ConvertError, match="broken or cut off"):
        read(written(tmp_path, content[: int(len(content) * share)]))


@pytest.mark.parametrize("start", [b"", b"\x80\x04", b"\x80\x04B\x00\x00\x00\x40"])
def test_a_gigabyte_of_zeros_is_refused_in_seconds_and_little_memory(start: bytes, tmp_path: Path) -> None:
    file = tmp_path / "zeros.pickle"
    with file.open("wb") as stream:
        stream.write(start)
        stream.truncate(1 << 30)
    begin = time.monotonic()
    code = "import sys; from convert.pickle_reader import read; from pathlib import Path; read(Path(sys.argv[1]))"

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 29, 1 << 29))

    done = subprocess.run(
        [sys.executable, "-c", code, file],
        env={"PYTHONPATH": str(ROOT / "image")},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConvertError" in done.stderr
    assert time.monotonic() - begin < 20
