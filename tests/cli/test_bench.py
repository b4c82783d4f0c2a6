"""ecdc bench: the figures are there and fit together; how large they are is not a test's matter."""

import pytest

from run import TINY


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


@pytest.mark.parametrize("option, value", [("--seconds", "0"), ("--seconds", "-1"), ("--seconds", "1e9"), ("--seconds", "x"),
                                           ("--repeats", "0"), ("--repeats", "1.5"), ("--repeats", "1001")])
def test_usage(ecdc, option, value):
    ecdc.refuses("bench", option, value, status=2, says=f"{option} {value}: allowed is ")


def test_unsupported_bandwidth(ecdc):
    ecdc.refuses("bench", "-m", TINY, "-b", "24", says="it offers 1.5, 3, 6 kbps")
