"""How Ctrl-C reaches a long call into the library."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from ._library import STOP_FUNCTION, EcdcError


def _listen(caught: list[BaseException]) -> Iterator[int]:
    """Answers the library's "shall I stop?": 1 once an exception, such as KeyboardInterrupt, has come.

    A generator, because Python raises a pending interrupt as soon as code of it runs: here that is inside `try`. In a
    function it would be before the first statement, and ctypes would only print it.
    """
    while True:
        try:
            yield 1 if caught else 0
        except GeneratorExit:
            return
        except BaseException as e:
            caught.append(e)


def stop_function(caught: list[BaseException]) -> Any:
    """A stop function for the library. What ended the work is in `caught` afterwards, to be raised again."""
    listener = _listen(caught)
    next(listener)
    return STOP_FUNCTION(listener.send)  # type: ignore[attr-defined]


@contextmanager
def stoppable(settings: Any) -> Iterator[None]:
    """Around a call with these settings: Ctrl-C ends it, and comes out as the exception that it is."""
    caught: list[BaseException] = []
    stop = stop_function(caught)  # lives until the call is over
    settings.stop = stop
    try:
        yield
    except EcdcError:
        if caught:
            raise caught[0]
        raise
