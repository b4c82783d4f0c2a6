"""bench/report.py: what is written by hand in docs/PERFORMANCE.md stays, what is measured is replaced."""

import json
import subprocess
import sys

from run import ROOT

SPREAD = {"median": 2.0, "low": 1.0, "high": 3.0, "values": [1.0, 2.0, 3.0]}
MACHINE = {"cpu": "Some CPU", "family_model_stepping": "1/2/3", "cores": 2, "caches": {"L2 cache": "1 MiB"}, "features": ["avx2"],
           "memory_gb": 8.0, "hypervisor": "", "kernel": "6", "compiler": "cc", "load_at_start": 0.1, "ecdc": "0", "commit": "abc",
           "packages": {"torch": "2"}}


def write_result(directory, started, median_ms, machine=MACHINE):
    x = {"p50_ms": {**SPREAD, "median": median_ms}, "p99_ms": SPREAD, "x_realtime": SPREAD, "first_after": {**SPREAD, "median": 7}}
    found = {"started": started, "quick": False, "repeats": 3, "machine": machine,
             "parts": {"latency": {"frames": 75, "encode": x, "decode": x, "took_s": 4.0}}}
    (directory / f"{started}.json").write_text(json.dumps(found))


def report(results, docs):
    return subprocess.run([sys.executable, ROOT / "bench" / "report.py", results, docs], capture_output=True, text=True)


def test_hand_written_parts_stay(tmp_path):
    before, _, rest = (ROOT / "docs" / "PERFORMANCE.md").read_text().partition("<!-- measured: begin")
    after = rest.partition("<!-- measured: end -->")[2]
    assert "## What was tried" in after
    document = tmp_path / "PERFORMANCE.md"
    document.write_text((ROOT / "docs" / "PERFORMANCE.md").read_text())
    write_result(tmp_path, "2026-01-01T00:00:00", 11.25)
    assert report(tmp_path, tmp_path).returncode == 0
    first = document.read_text()
    assert "11.2 ms (1.00–3.00)" in first and "| Processor | Some CPU" in first and "bench/run film" in first
    assert first.startswith(before) and first.endswith(after)

    write_result(tmp_path, "2026-01-02T00:00:00", 22.5)  # the newest counts
    write_result(tmp_path, "2025-01-03T00:00:00", 99.5, {**MACHINE, "cpu": "Another"})
    assert report(tmp_path, tmp_path).returncode == 0
    second = document.read_text()
    assert "22.5 ms" in second and "11.2 ms" not in second and "99.5 ms" not in second
    assert second.startswith(before) and second.endswith(after)
    assert report(tmp_path, tmp_path).returncode == 0 and document.read_text() == second


def test_refusals(tmp_path):
    (tmp_path / "PERFORMANCE.md").write_text("no markers")
    assert "no results" in report(tmp_path, tmp_path).stderr
    write_result(tmp_path, "2026-01-01T00:00:00", 1.5)
    assert "must each stand there once" in report(tmp_path, tmp_path).stderr
    assert (tmp_path / "PERFORMANCE.md").read_text() == "no markers"
