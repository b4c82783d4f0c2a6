"""Lets tests import the package from the source tree with the library of the build that ECDC names the command of (default:
build/ecdc). Where there is none the installed package is tested."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path(os.environ.get("ECDC", ROOT / "build" / "ecdc")).resolve().parent / "libecdc.so"

if LIBRARY.is_file():
    os.environ.setdefault("ECDC_LIBRARY", str(LIBRARY))
    sys.path.insert(0, str(ROOT / "python"))
