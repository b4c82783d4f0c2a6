"""What machine this is, and which versions were measured."""
import importlib.metadata
import json
import os
import platform
import re
import subprocess

from common import ECDC, ROOT

PACKAGES = ["torch", "transformers", "onnxruntime", "openvino"]


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else ""


def compiler():
    cache = ROOT / "build" / "CMakeCache.txt"
    path = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", cache.read_text(), re.M)
    return output(path[1], "--version").splitlines()[0] if path else ""


def fields(rows):
    for row in rows:
        yield row["field"].rstrip(":"), row["data"]
        yield from fields(row.get("children", []))


def describe():
    """Names, caches as lscpu adds them up over the cores, and how busy the machine was when the run began."""
    cpu = dict(fields(json.loads(output("lscpu", "-J") or '{"lscpu": []}')["lscpu"]))
    memory_kb = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())[1])
    return {
        "cpu": cpu.get("Model name", platform.machine()),
        "family_model_stepping": "/".join(cpu.get(k, "?") for k in ("CPU family", "Model", "Stepping")),
        "cores": len(os.sched_getaffinity(0)),
        "caches": {k: cpu[k] for k in ("L1d cache", "L2 cache", "L3 cache") if k in cpu},
        "features": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd") if f in cpu.get("Flags", "").split()],
        "memory_gb": round(memory_kb / 1e6, 1),
        "hypervisor": cpu.get("Hypervisor vendor", ""),
        "kernel": platform.release(),
        "compiler": compiler(),
        "load_at_start": os.getloadavg()[0],
        "ecdc": output(str(ECDC), "--version").replace("ecdc ", ""),
        "commit": output("git", "describe", "--always", "--dirty"),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
