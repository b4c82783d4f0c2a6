"""Lets programs written for giblet-responses run: ``import ecdc.giblet`` and ``giblet.data`` is there.

Where giblet itself is installed nothing is changed.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from . import ENCODEC_AVAILABLE, AudioProcessor, MultimodalDataset

__all__ = ["ENCODEC_AVAILABLE", "AudioProcessor", "MultimodalDataset"]


def _module(name: str, **contents: object) -> ModuleType:
    module = ModuleType(name, f"{name} as ecdc has it.")
    module.__dict__.update(contents)
    module.__spec__ = ModuleSpec(name, None, origin=__name__, is_package=True)  # find_spec wants one
    module.__path__ = []  # a package, as far as imports below it are concerned
    sys.modules[name] = module
    return module


def _register() -> None:
    if "giblet" in sys.modules or importlib.util.find_spec("giblet") is not None:
        return
    audio = _module("giblet.data.audio", AudioProcessor=AudioProcessor, ENCODEC_AVAILABLE=ENCODEC_AVAILABLE)
    dataset = _module("giblet.data.dataset", MultimodalDataset=MultimodalDataset)
    _module("giblet", data=_module("giblet.data", audio=audio, dataset=dataset, AudioProcessor=AudioProcessor,
                                   MultimodalDataset=MultimodalDataset))


_register()
