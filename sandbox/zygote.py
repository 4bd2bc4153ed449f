"""The warmed Python that runs are forked from.

    python3 -s zygote.py LIBRARY

LIBRARY's cohort_next_run() returns once for every run, in a process that is
behind all fences. A run's arguments say what it is:

    script FILE   the file is the program
    serve FILE    loads the file and answers calls of its functions on
                  descriptor 3
    tests         runs tests that arrive on descriptor 3, and asks there for
                  what they use of a submission that runs elsewhere

A frame is a length of four bytes, big endian, and a value. Values are a letter
and what follows it; see Encoder. A process that runs a submission can be made
to say anything, so nothing here guards against it: what matters is that it
never holds an expected value.
"""

import ast
import atexit
import bisect
import builtins
import cmath
import collections
import collections.abc
import copy
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gc
import heapq
import io
import itertools
import json
import math
import operator
import os
import random
import re
import statistics
import string
import struct
import sys
import textwrap
import threading
import time
import traceback
import types
import typing

MAX_DEPTH = 200
MAX_FRAME = 32 << 20


class Unsupported(Exception):
    pass


class Encoder:
    """Values of exactly the built-in types to bytes. With `handles`, a list,
    any other object is kept there and goes out as its number."""

    def __init__(self, handles=None):
        self.handles = handles
        self.parts = []
        self.size = 0

    def add(self, text):
        self.size += len(text)
        if self.size > MAX_FRAME:
            raise Unsupported("a value of more than 32 MiB")
        self.parts.append(text)

    def sized(self, letter, data):
        self.add(b"%s%d:" % (letter, len(data)))
        self.add(data)

    def items(self, letter, values, depth):
        self.add(b"%s%d:" % (letter, len(values)))
        for value in values:
            self.value(value, depth + 1)

    def value(self, value, depth=0):
        if depth > MAX_DEPTH:
            raise Unsupported("a value nested too deeply")
        kind = type(value)
        if value is None:
            self.add(b"N")
        elif kind is bool:
            self.add(b"T" if value else b"F")
        elif kind is int:
            self.sized(b"i", b"%x" % value if value >= 0 else b"-%x" % -value)
        elif kind is float:
            self.add(b"f" + struct.pack(">d", value))
        elif kind is complex:
            self.add(b"c" + struct.pack(">dd", value.real, value.imag))
        elif kind is str:
            self.sized(b"s", value.encode("utf-8", "surrogatepass"))
        elif kind is bytes:
            self.sized(b"b", value)
        elif kind is list:
            self.items(b"l", value, depth)
        elif kind is tuple:
            self.items(b"t", value, depth)
        elif kind is set:
            self.items(b"S", value, depth)
        elif kind is frozenset:
            self.items(b"Z", value, depth)
        elif kind is dict:
            self.pairs(value, depth)
        else:
            self.other(value, kind, depth)

    def pairs(self, value, depth):
        self.add(b"d%d:" % len(value))
        for key, item in dict.items(value):
            self.value(key, depth + 1)
            self.value(item, depth + 1)

    def other(self, value, kind, depth):
        if self.handles is None:
            self.sized(b"u", KIND_NAME(kind).encode()[:200])
        elif kind in PLAIN_DICTS:
            self.pairs(value, depth)
        elif kind is range:
            self.add(b"r")
            self.items(b"t", (value.start, value.stop, value.step), depth)
        elif isinstance(value, Remote):
            self.add(b"h%d:" % object.__getattribute__(value, "_number"))
        elif kind is RemoteName:
            self.value(ask("name", value._name), depth)
        elif builtin_name(value) is not None:
            self.sized(b"B", builtin_name(value).encode())
        else:
            self.handles.append(value)
            self.add(b"h%d:" % (len(self.handles) - 1))


# What a type is called, whatever its metaclass says.
KIND_NAME = type.__dict__["__name__"].__get__
PLAIN_DICTS = frozenset(
    (collections.Counter, collections.OrderedDict, collections.defaultdict))
BUILTINS = {
    name: value for name, value in vars(builtins).items()
    if isinstance(value, (type, types.BuiltinFunctionType))
}
BUILTIN_NAMES = {id(value): name for name, value in BUILTINS.items()}


def builtin_name(value):
    return BUILTIN_NAMES.get(id(value))


class Decoder:
    """Bytes to values. `handle(number)` gives what stands for a handle."""

    def __init__(self, data, handle=None):
        self.data = data
        self.at = 0
        self.handle = handle

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("a frame ends too early")
        self.at += size
        return self.data[self.at - size:self.at]

    def count(self):
        end = self.data.index(b":", self.at, self.at + 12)
        text = self.take(end - self.at)
        self.at += 1
        if not text.isdigit():
            raise ValueError("no count in a frame")
        return int(text)

    def values(self, depth):
        return [self.value(depth + 1) for _ in range(self.count())]

    def value(self, depth=0):
        if depth > MAX_DEPTH + 2:
            raise ValueError("a frame nested too deeply")
        letter = self.take(1)
        if letter == b"N":
            return None
        if letter in b"TF":
            return letter == b"T"
        if letter == b"i":
            return int(self.take(self.count()), 16)
        if letter == b"f":
            return struct.unpack(">d", self.take(8))[0]
        if letter == b"c":
            return complex(*struct.unpack(">dd", self.take(16)))
        if letter == b"s":
            return self.take(self.count()).decode("utf-8", "surrogatepass")
        if letter == b"b":
            return bytes(self.take(self.count()))
        if letter == b"l":
            return self.values(depth)
        if letter in CONTAINERS:
            return CONTAINERS[letter](self.values(depth))
        if letter == b"d":
            return {self.value(depth + 1): self.value(depth + 1)
                    for _ in range(self.count())}
        if letter == b"r":
            return range(*self.value(depth + 1))
        if letter == b"B":
            return BUILTINS[self.take(self.count()).decode()]
        if letter == b"h" and self.handle is not None:
            return self.handle(self.count())
        raise ValueError(f"an unknown value {letter!r} in a frame")


CONTAINERS = {b"t": tuple, b"S": set, b"Z": frozenset}


def encode(value, handles=None):
    encoder = Encoder(handles)
    encoder.value(value)
    return b"".join(encoder.parts)


def send_frame(data):
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(3, data):]


def receive_exactly(size):
    parts = []
    while size:
        part = os.read(3, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive_frame():
    size, = struct.unpack(">I", receive_exactly(4))
    return receive_exactly(size)


# A submission that answers calls.


def load(path):
    """The file as a module that is not the main one."""
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType("submission")
    module.__file__ = path
    sys.modules["submission"] = module
    sys.argv = [path]
    exec(compile(source, path, "exec"), module.__dict__)
    return module


OPERATIONS = {
    name: getattr(operator, name)
    for name in ("add floordiv ge getitem gt le lt matmul mod mul neg pos pow "
                 "setitem sub truediv").split()
}
OPERATIONS.update(
    abs=abs, bool=bool, call=lambda f, args, kwargs: f(*args, **kwargs),
    delattr=delattr, float=float, getattr=getattr, hash=hash, int=int,
    iter=iter, len=len, next=next, repr=repr, setattr=setattr, str=str,
    equals=lambda a, b: bool(a == b))


def answer(frame, names, handles):
    operation, *arguments = Decoder(frame, handles.__getitem__).value()
    if operation == "call" and type(arguments[0]) is str:
        arguments[0] = names[arguments[0]]
    if operation == "name":
        return names[arguments[0]]
    return OPERATIONS[operation](*arguments)


def serve(path):
    handles = []
    # Taken now, so that a submission that changes them by accident (a function
    # of its own called `encode`) changes nothing here.
    send, receive, respond, encoded = send_frame, receive_frame, answer, encode
    try:
        names = load(path).__dict__
        reply = ["ok", None]
    except BaseException as error:
        names = None
        reply = ["raise", type(error).__name__, describe(error)]
    send(encoded(reply))
    if names is None:
        raise SystemExit(1)
    while True:
        try:
            frame = receive()
        except EOFError:
            return
        kept = handles if frame[:1] == b"H" else None
        try:
            body = encoded(["ok", respond(frame[1:], names, handles)], kept)
        except BaseException as error:
            body = encoded(["raise", type(error).__name__, describe(error)])
        send(body)


def describe(error):
    try:
        return str(error)[:1000]
    except BaseException:
        return ""


# Tests, and what stands in them for a submission that runs elsewhere.


class RemoteError(Exception):
    """What a submission raised, where it is no built-in exception."""


def ask(*request):
    send_frame(b"QH" + encode(list(request), []))
    reply = Decoder(receive_frame(), Remote).value()
    if reply[0] == "ok":
        return reply[1]
    kind = BUILTINS.get(reply[1])
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or (
            kind is AssertionError):
        kind = RemoteError
    error = kind(reply[2])
    error.from_submission = reply[1]
    raise error


def remote_operation(name):
    def operate(self, *arguments):
        return ask(name, self, *arguments)
    return operate


class Remote:
    """An object of the submission. What its operators say of a plain value is
    worth nothing, so they are never asked: they would see what is expected, and
    could say yes to it."""

    def __init__(self, number):
        object.__setattr__(self, "_number", number)

    def __call__(self, *args, **kwargs):
        return ask("call", self, list(args), kwargs)

    def __getattr__(self, name):
        return ask("getattr", self, name)

    def __setattr__(self, name, value):
        ask("setattr", self, name, value)

    def __delattr__(self, name):
        ask("delattr", self, name)

    def __eq__(self, other):
        return isinstance(other, Remote) and ask("equals", self, other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return ask("hash", self)

    def __iter__(self):
        iterator = ask("iter", self)
        while True:
            try:
                yield ask("next", iterator)
            except StopIteration:
                return


def remote_operation(name):
    return lambda self, *arguments: ask(name, self, *arguments)


def remote_operator(name):
    def operate(self, other):
        if not isinstance(other, Remote):
            return NotImplemented
        return ask(name, self, other)
    return operate


for plain in "len int float str repr abs neg pos bool getitem setitem".split():
    setattr(Remote, f"__{plain}__", remote_operation(plain))
for plain in "lt le gt ge add sub mul truediv floordiv mod pow matmul".split():
    setattr(Remote, f"__{plain}__", remote_operator(plain))


class RemoteName:
    """A global name of the submission, looked up when it is called."""

    def __init__(self, name):
        self._name = name

    def __call__(self, *args, **kwargs):
        return ask("call", self._name, list(args), kwargs)

    def __getattr__(self, attribute):
        return getattr(ask("name", self._name), attribute)


def used_names(code, entry_point):
    """Names of the submission's that `code` uses, and modules."""
    defined, used, modules = set(), set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            defined.add(node.name)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            modules.add(node.value.id)
    used -= defined
    own = used - set(vars(builtins))
    # A submission cannot replace a built-in function under its tests, but where
    # they test nothing else, a function of that name is what they test.
    return own if own or entry_point else used, modules


def prepare_tests(setup, tests, entry_point):
    """What runs the tests. `setup` is trusted code that comes before them; of
    what it defines, the entry point alone is the submission's."""
    names = {"__name__": "tests"}
    exec(compile(setup, "setup", "exec"), names)
    used, modules = used_names(tests, entry_point)
    for name in used:
        if name in modules and name in sys.stdlib_module_names:
            names.setdefault(name, __import__(name))
        names.setdefault(name, RemoteName(name))
    if entry_point:
        names[entry_point] = RemoteName(entry_point)
    code = compile(tests, "tests", "exec")

    def run_tests():
        exec(code, names)
        check = names.get("check")
        if entry_point and isinstance(check, types.FunctionType):
            check(names[entry_point])

    return run_tests


def where_of(error):
    """The line of the tests that failed."""
    line = 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == "tests":
            line = number
    return line


def serve_tests():
    setup, tests, entry_point = Decoder(receive_frame()).value()
    verdict = ["pass", "", 0]
    try:
        run_tests = prepare_tests(setup, tests, entry_point)
    except BaseException as error:
        verdict = ["broken", f"{type(error).__name__}: {describe(error)}", 0]
        run_tests = None
    try:
        if run_tests:
            run_tests()
    except EOFError:
        return
    except BaseException as error:
        kind = getattr(error, "from_submission", None)
        verdict = ["raise" if kind else "fail",
                   f"{kind or type(error).__name__}: {describe(error)}",
                   where_of(error)]
    send_frame(b"D" + encode(verdict))


# The program itself.


def run_script(path):
    with open(path, "rb") as file:
        source = file.read()
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = builtins
    sys.modules["__main__"] = main
    sys.argv = [path]
    exec(compile(source, path, "exec"), main.__dict__)


def fresh_streams():
    for name, fd, mode in (("stdin", 0, "r"), ("stdout", 1, "w"),
                           ("stderr", 2, "w")):
        old = getattr(sys, name)
        new = open(fd, mode, encoding=old.encoding, errors=old.errors,
                   closefd=False, buffering=1 if fd == 2 else -1)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def exit_code(error):
    """As the interpreter does it for a SystemExit."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def end(code):
    """What the interpreter does at its end, without taking itself apart."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException:
        code = code or 120
    os._exit(code)


def run(arguments):
    random.seed(0)
    fresh_streams()
    sys.path[0] = "/box"
    code = 0
    try:
        if arguments[0] == "script":
            run_script("/box/" + arguments[1])
        elif arguments[0] == "serve":
            serve("/box/" + arguments[1])
        else:
            serve_tests()
    except SystemExit as error:
        code = exit_code(error)
    except BaseException as error:
        code = 1
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
    end(code)


def main():
    library = ctypes.PyDLL(sys.argv[1])
    library.cohort_next_run.restype = ctypes.c_long
    text = ctypes.create_string_buffer(1 << 17)
    gc.collect()
    gc.freeze()
    size = library.cohort_next_run(text, ctypes.c_long(len(text)))
    if size < 0:
        os._exit(0)
    ctypes.pythonapi.PyOS_AfterFork_Child()
    run(text[:size].decode("utf-8", "surrogateescape").split("\0"))


main()
