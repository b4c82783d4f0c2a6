"""Measures what it is asked to, keeps the results as one JSON file per run, writes docs/PERFORMANCE.md. Started by bench/run."""
import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import fmri
import machine
import parts
import peers
import precision
from common import ROOT, Failed, Run, log, run

PARTS = {
    "peers": (peers.measure, "ecdc, transformers, onnxruntime and OpenVINO side by side", "25 minutes"),
    "scaling": (parts.scaling, "speed against threads and bandwidth", "5 minutes"),
    "precision": (precision.measure, "what bf16 costs in codes and sound", "10 seconds"),
    "length": (parts.length, "speed and memory against length", "45 minutes"),
    "latency": (parts.latency, "a live stream, frame by frame", "1 minute"),
    "streams": (parts.streams, "many streams at once, alone and sharing passes over the weights", "2 minutes"),
    "startup": (parts.startup, "one second of sound, from the start of the command to its end", "1 minute"),
    "film": (parts.film, "features of a film", "6 minutes"),
    "fmri": (fmri.measure, "masks and series of scans, beside zlib alone", "3 minutes"),
    "profile": (parts.profile, "layer by layer", "1 minute"),
}


def arguments():
    p = argparse.ArgumentParser(prog="bench/run", description="Measures ecdc and its peers; writes docs/PERFORMANCE.md.")
    p.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all); report: only the document")
    p.add_argument("--quick", action="store_true", help="short sounds and 2 rounds, to see that it works")
    p.add_argument("--repeats", type=int, help="rounds (default: 5)")
    p.add_argument("--no-report", action="store_true", help="leave docs/PERFORMANCE.md as it is")
    p.add_argument("--cache", required=True, type=Path, help=argparse.SUPPRESS)
    o = p.parse_args()
    unknown = [name for name in o.parts if name not in PARTS and name != "report"]
    if unknown:
        p.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}, report")
    if o.repeats is not None and o.repeats < 1:
        p.error("--repeats: at least 1")
    o.repeats = o.repeats or (2 if o.quick else 5)
    return o


def measure(o, names, results):
    """True if every part succeeded; what was measured before a failure is kept."""
    found = {"started": datetime.now(timezone.utc).isoformat(timespec="seconds"), "quick": o.quick, "repeats": o.repeats,
             "machine": machine.describe(), "parts": {}}
    path = results / f"{found['started'].replace(':', '').replace('+0000', 'Z')}.json"
    if found["machine"]["load_at_start"] > 0.3:
        log(f"note: the machine is busy (load {found['machine']['load_at_start']:.2f}): its figures will not be its own")
    good = True
    with tempfile.TemporaryDirectory(prefix="ecdc-bench-") as work:
        r = Run(o.quick, o.repeats, o.cache, work)
        for name in names:
            action, title, estimate = PARTS[name]
            r.say(f"== {name}: {title}" + ("" if o.quick else f" (about {estimate})"))
            start = time.perf_counter()
            try:
                found["parts"][name] = action(r)
            except Failed as e:
                good = False
                log(f"FAILED {name}: {e}")
                continue
            took = time.perf_counter() - start
            found["parts"][name].update(took_s=took, load_after=os.getloadavg()[0])
            path.write_text(json.dumps(found, indent=1) + "\n")
            r.say(f"    done in {took:.0f} s")
    print(f"results: {path}" if found["parts"] else "no results")
    return good


def main():
    o = arguments()
    start = time.perf_counter()
    results = o.cache / "results"
    results.mkdir(parents=True, exist_ok=True)
    names = [name for name in PARTS if name in o.parts] if o.parts else list(PARTS)
    good = measure(o, names, results) if names else True
    if not o.no_report:
        try:
            for program in ("report.py", "plots.py"):
                run(sys.executable, Path(__file__).with_name(program), results, ROOT / "docs")
            print("written: docs/PERFORMANCE.md, docs/performance.svg")
        except Failed as e:
            good = False
            log(f"FAILED report: {e}")
    print(f"total: {time.perf_counter() - start:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
