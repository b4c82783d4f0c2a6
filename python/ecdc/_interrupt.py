"""How Ctrl-C reaches a long call into the library."""

from __future__ import annotations

from typing import Any, Iterator

from ._library import STOP_FUNCTION


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
