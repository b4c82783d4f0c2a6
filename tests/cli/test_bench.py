"""ecdc bench: the figures are there and fit together; how large they are is not a test's matter."""

import json
import subprocess

import pytest

from run import BINARY, TINY, check_healthy


def test_json(ecdc):
    r = ecdc("bench", "-m", "default", "--seconds", "1", "--repeats", "1", "--threads", "1", "-b", "6", "--json")
    assert r.stderr == ""
    assert r.json["model"] == ecdc("info", "default", "--json").json["name"]
    expected = {"precision": "f32", "threads": 1, "bandwidth": 6, "codebooks": 8, "seconds": 1, "repeats": 1}
    assert {k: r.json[k] for k in expected} == expected
    for name in ("encode_x_realtime", "decode_x_realtime", "encode_gflops", "decode_gflops", "fma_peak_gflops", "peak_rss_mb"):
        assert r.json[name] > 0, name


def test_for_people(ecdc):
    lines = ecdc("bench", "-m", TINY, "--seconds", "0.5", "--repeats", "2").text.splitlines()
    assert lines[0].startswith("tiny24, f32, ") and lines[0].endswith("3 kbps (4 codebooks), 0.5 s, median of 2")
    assert lines[1].startswith("encode ") and " x realtime " in lines[1] and " GFLOP/s " in lines[1]
    assert lines[2].startswith("decode ")
    assert lines[3].startswith("FMA peak ") and lines[3].endswith(" MB")


def test_profile(ecdc):
    """Every layer is there once, or in its two parts, and the times add up."""
    whole = ecdc("bench", "-m", TINY, "--seconds", "1", "--repeats", "2", "-b", "1.5", "--profile", "--json").json
    for part, first, lstm in [("encoder", "convolution 1 -> 4, kernel 7", 13), ("decoder", "convolution 16 -> 64, kernel 7", 1)]:
        lines = whole["profile"][part]
        names = [line["layer"] for line in lines]
        assert names[-3:] == ["quantizer", "other", "all"] and names.count(f"{part}.layers.{lstm}.lstm") == 2
        assert lines[0]["what"] == first
        assert len(set(zip(names, [line["what"] for line in lines]))) == len(lines) == 19
        *parts, total = lines
        for figure in ("ms_per_s", "share_of_time"):
            assert sum(line[figure] for line in parts) == pytest.approx(total[figure])
        assert all(line["ms_per_s"] > 0 for line in lines if line["layer"] != "other")
        assert total["share_of_time"] == 1
        assert all(line["share_of_peak"] == pytest.approx(line["gflops"] / (whole["fma_peak_gflops"] * whole["threads"]))
                   for line in lines)
        assert lines[-3]["what"] == "2 codebooks"


def test_profile_for_people(ecdc):
    tables = ecdc("bench", "-m", TINY, "--seconds", "0.5", "--repeats", "1", "--profile").text.split("\n\n")
    assert [t.split()[0] for t in tables[1:]] == ["encoder", "decoder"]
    assert "LSTM 2 x 64, recurrent" in tables[1] and "\nall " in tables[2]


@pytest.mark.parametrize("option, value", [("--seconds", "0"), ("--seconds", "-1"), ("--seconds", "0.00001"), ("--seconds", "1e9"), ("--seconds", "x"),
                                           ("--repeats", "0"), ("--repeats", "1.5"), ("--repeats", "1001")])
def test_usage(ecdc, option, value):
    ecdc.refuses("bench", option, value, status=2, says=f"{option} {value}: allowed is ")


def test_unsupported_bandwidth(ecdc):
    ecdc.refuses("bench", "-m", TINY, "-b", "24", says="it offers 1.5, 3, 6 kbps")


def tool(name, *arguments):
    """One of bench/'s own programs."""
    p = subprocess.run([BINARY.parent / "bench" / name, *map(str, arguments)], capture_output=True, text=True)
    check_healthy(p.returncode, p.stderr)
    return p


def test_streams():
    """More of them than a machine with 16 processors is given; the figures are those of the seconds that were encoded."""
    done = tool("streams", TINY, 65, 1.5, 1)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["streams"] == 65 and json.loads(done.stdout)["seconds"] == 1.5
    for arguments in [(TINY, 0, 1, 1), (TINY, 1, 0.5, 1), (TINY, 1, 1, 0), (TINY, 1, "x", 1), (TINY, 1, 1)]:
        refused = tool("streams", *arguments)
        assert refused.returncode == 2 and "usage: " in refused.stderr


def test_latency():
    done = tool("latency", TINY, 1, 1)
    assert done.returncode == 0 and json.loads(done.stdout)["encode"]["first_after"] == 7
    for name, arguments in ("latency", (1, 1)), ("streams", (1, 1, 1)):
        chunks = tool(name, TINY.parent / "tiny48", *arguments)
        assert chunks.returncode == 1 and f"{name}: tiny48 has chunks" in chunks.stderr
    assert tool("latency", TINY, 1, 0.1).returncode == 2
