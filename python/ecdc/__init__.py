"""EnCodec codes of sound on the time grid of an fMRI scan, and back. No PyTorch.

`AudioProcessor` turns films and recordings into features per TR; `Model`, `Encoder` and `Decoder` are the codec itself;
`ecdc.metrics` measures what came back, `report` shows it; `ecdc.fmri` reads and writes scans, `MultimodalDataset` puts them beside the
film's features. ``import ecdc.giblet`` lets programs written for giblet-responses find it all there.

Importing the package turns off FFmpeg's log, which would write on standard error, unless the program has set a level of its own:
errors are exceptions.
"""

from . import fmri, hub, metrics
from ._hrf import glover_hrf
from ._library import EcdcError, lib as _lib
from ._report import report
from .audio_processor import AudioProcessor
from .model import Decoder, Encoder, Model
from .multimodal_dataset import MultimodalDataset

__all__ = ["ENCODEC_AVAILABLE", "AudioProcessor", "Decoder", "EcdcError", "Encoder", "Model", "MultimodalDataset", "fmri",
           "glover_hrf", "hub", "metrics", "report"]
__version__: str = _lib.ecdc_version().decode()

ENCODEC_AVAILABLE = True  # giblet's flag: whether codes can be made at all
