"""Uses the installed wheel on a system without FFmpeg: everything that its own libraries are there for. tests/long/wheel runs it, in a
folder with sounds, what the command of the build made of them, and a certificate."""

import csv
import ctypes
import http.server
import importlib.metadata
import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

import ecdc

PACKAGES = Path(ecdc.__file__).parents[1]
LIBRARIES = sorted((PACKAGES / "ecdc.libs").iterdir())
COMMAND = Path(sys.executable).parent / "ecdc"
STORE = Path("/etc/ssl/certs/ca-certificates.crt")


def run(*arguments, **environment):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment})


def features_and_back():
    processor = ecdc.AudioProcessor(model="default", tr=1.5, alignment="exact")
    for sound in ("jfk.flac", "jfk.mp3", "jfk.m4a", "jfk.opus"):
        expected = np.load(f"{sound}.npy")
        codes, metadata = processor.audio_to_features(sound)
        # Decoders and resampler are compiled anew: a sample may be rounded otherwise, and a code lie on the other side of a border.
        assert codes.shape == expected.shape and (codes == expected).mean() > 0.999, (sound, (codes == expected).mean())
        done = run("features", sound, "--tr", 1.5, "--alignment", "exact", "-q", "-o", f"{sound}.command.npy")
        assert done.returncode == 0, done.stderr
        assert np.array_equal(np.load(f"{sound}.command.npy"), codes), sound
        processor.features_to_audio(codes, f"{sound}.wav", metadata=metadata)
        print(f"{sound}: {codes.shape}, {(codes == expected).mean():.2%} of codes equal those of the build")
    # The WAV is read again, and is the sound that was encoded.
    compared = json.loads(run("compare", "jfk.flac", "jfk.flac.wav", "--json").stdout)
    print(f"STOI of what came back: {compared['stoi']:.3f}")
    return compared["stoi"]


def report(stoi):
    expected = json.loads(Path("expected.json").read_text())["bandwidths"][0]
    made = ecdc.report("jfk.flac", "report.html", tr=1.5, alignment="exact")["bandwidths"][3.0]
    assert expected["bandwidth"] == 3 and abs(made["stoi"] - expected["stoi"]) < 1e-3, (made, expected)
    assert abs(stoi - made["stoi"]) < 0.02  # the rows end at the last whole TR
    size, expected_size = (Path(name).stat().st_size for name in ("report.html", "expected.html"))
    assert abs(size / expected_size - 1) < 0.01, (size, expected_size)  # with as much sound in it
    ecdc.report("jfk.flac", "report.png")
    assert Path("report.png").read_bytes().startswith(b"\x89PNG")
    np.savez("codes.npz", a=np.arange(3))  # libzip: is opened, and refused for what is in it
    refused = run("info", "codes.npz").stderr
    assert "codes.npz" in refused and "codes" in refused, refused
    print(f"report: {size} bytes, STOI {made['stoi']:.3f} as by the build")


def trust():
    """A hub that speaks HTTPS: a machine's own store of certificates is found, and counts."""
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
        do_GET = do_HEAD

        def log_message(self, *arguments):
            pass

    asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.handle_error = lambda *arguments: None  # whom the client refuses
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("hub.crt", "hub.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = {"HF_ENDPOINT": f"https://localhost:{server.server_port}"}
    done = run("model", "fetch", "someone/model", **hub)
    assert done.returncode == 1 and "certificate" in done.stderr and not asked, done.stderr
    with STORE.open("ab") as file:  # Debian's python3-venv brings it
        file.write(Path("hub.crt").read_bytes())
    done = run("model", "fetch", "someone/model", **hub)
    assert done.returncode == 1 and "certificate" not in done.stderr and asked, done.stderr
    print("HTTPS: refused without the certificate, taken with it")


def carried():
    """What was loaded lies in the wheel; all of it is listed; none of it is under the GPL."""
    loaded = {Path(line.split()[-1]) for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    for name in ("libavformat", "libavcodec", "libavutil", "libswresample", "libsoxr", "libcjson", "libzip", "libcurl"):
        found = [path for path in loaded if path.name.startswith(name)]
        assert len(found) == 1 and found[0].parent == PACKAGES / "ecdc.libs", (name, found)
    licences = Path(importlib.metadata.distribution("ecdc").locate_file(f"ecdc-{ecdc.__version__}.dist-info/licenses"))
    assert (licences / "LICENSE").is_file()
    with (licences / "libraries" / "libraries.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["file"] for row in rows] == [path.name for path in LIBRARIES], rows
    for row in rows:
        assert all(row.values()) and not row["licence"].startswith(("GPL", "AGPL")), row
        assert sum(text.stat().st_size for text in (licences / "libraries" / row["library"]).iterdir()) > 1000, row
    for path in LIBRARIES:
        library = path.name[len("lib"):path.name.index("-")]
        if library in ("avcodec", "avformat", "avutil", "swresample"):
            licence = getattr(ctypes.CDLL(str(path)), f"{library}_license")
            licence.restype = ctypes.c_char_p
            assert licence() == b"LGPL version 2.1 or later", (library, licence())
    print(f"{len(rows)} libraries, {sum(path.stat().st_size for path in LIBRARIES) / 1e6:.1f} MB, all listed, none under the GPL")


stoi = features_and_back()
report(stoi)
carried()
trust()
