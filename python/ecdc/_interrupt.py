"""How Ctrl-C reaches a long call into the library, and how the library's callbacks come to Python."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ._library import STOP_FUNCTION


def _listen(caught: list[BaseException]) -> Iterator[int]:
    """Answers the library's "shall I stop?": 1 once an exception, such as KeyboardInterrupt, has come.

    A generator, because Python raises a pending interrupt as soon as code of it runs: here that is inside `try`. In a
    function it would be before the first statement, and ctypes would only print it. The inner loop is there because
    Python looks for interrupts at jumps back, too, and that of a loop around `try` is outside of it.
    """
    while True:
        try:
            while True:
                yield 1 if caught else 0
        except GeneratorExit:
            return
        except BaseException as e:
            caught.append(e)


def _hear(function: Callable[..., None], n: int, caught: list[BaseException]) -> Iterator[int]:
    """Takes arguments one by one and calls the function with n of them; after an exception never again. A generator as above."""
    arguments: list[Any] = []
    while True:
        try:
            while True:
                arguments.append((yield 0))
                if caught:
                    arguments.clear()
                elif len(arguments) == n:
                    function(*arguments)
                    arguments.clear()
        except GeneratorExit:
            return
        except BaseException as e:
            caught.append(e)


def stop_function(caught: list[BaseException]) -> Any:
    """A stop function for the library. What ended the work is in `caught` afterwards, to be raised again."""
    listener = _listen(caught)
    next(listener)
    return STOP_FUNCTION(listener.send)  # type: ignore[attr-defined]


def callback(kind: Any, function: Callable[..., None], caught: list[BaseException]) -> Any:
    """A function of this kind (of two arguments or more, no result) for the library. Whatever it raises, and an interrupt while it
    works or before it begins, is in `caught`, so that a stop function with the same list ends the work."""
    listener = _hear(function, len(kind._argtypes_), caught)
    next(listener)
    return kind(functools.partial(max, key=listener.send))  # type: ignore[attr-defined]  # one argument after the other, and no Python


@contextmanager
def stoppable(settings: Any) -> Iterator[list[BaseException]]:
    """Around a call with these settings: Ctrl-C ends it, and comes out as the exception that it is. Yields what callbacks need."""
    caught: list[BaseException] = []
    stop = stop_function(caught)  # lives until the call is over
    settings.stop = stop
    try:
        yield caught
    finally:
        if caught:
            raise caught[0]
