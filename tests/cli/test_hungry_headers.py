"""Headers that claim more than any file holds: refused from the header alone, in an address space of 1 GB."""

import gzip
import io
import json
import resource
import shutil
import struct
import subprocess
import zipfile

import numpy as np
import pytest

import files
from run import SANITIZED, TINY, check_healthy
from scans import write_nifti

LIMIT = 1 << 30  # bytes of address space; a run with the small model takes a quarter of it
HANG_S = 5       # of the processor; a run takes a tenth of a second


def processor_s():
    """What ended children have used; unlike the time of day, it is the same on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def refuses(ecdc):
    """refuses(FILE, COMMAND ...): with status 1, one line that names the file, and no output."""
    def limited():
        if not SANITIZED:  # sanitizers reserve terabytes
            resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

    def check(name, *args, says=""):
        begin = processor_s()
        p = subprocess.run(ecdc.command(args), cwd=ecdc.cwd, env=ecdc.env, stdin=subprocess.DEVNULL, capture_output=True,
                           preexec_fn=limited, timeout=100)
        seconds, stderr = processor_s() - begin, p.stderr.decode()
        check_healthy(p.returncode, stderr)
        assert p.returncode == 1 and stderr.count("\n") == 1 and stderr.startswith("ecdc: "), stderr
        assert name in stderr and says in stderr, stderr
        assert seconds < HANG_S and not list(ecdc.cwd.glob("out*")), stderr
    return check


def npy(shape, descr="<i8"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(1600)


@pytest.mark.parametrize("shape", [f"({2**60}, 4)", f"(4, {2**60})", f"({2**31}, 4, 112)", f"({2**62}, {2**62})", f"({2**60}, 4, 112)"])
def test_npy(ecdc, refuses, shape):
    (ecdc.cwd / "x.npy").write_bytes(npy(shape))
    refuses("x.npy", "decode", "x.npy", "-o", "out.wav", "-m", TINY)
    refuses("x.npy", "reconstruct", "x.npy", "-o", "out.wav", "-m", TINY)
    refuses("x.npy", "info", "x.npy")
    (ecdc.cwd / "x.npy").write_bytes(npy(shape, "<f4"))
    refuses("x.npy", "fmri", "restore", "x.npy", "--mask", "x.npy", "-o", "out.nii")
    refuses("x.npy", "reconstruct", "x.npy", "-o", "out.wav")  # a mel spectrogram


def test_npy_header(ecdc, refuses):
    (ecdc.cwd / "x.npy").write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100))
    refuses("x.npy", "decode", "x.npy", "-o", "out.wav", "-m", TINY, says="claims 4294967295 bytes")


@pytest.mark.parametrize("name", ["codes.npy", "scales.npy"])
def test_npz(ecdc, refuses, name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as z:
        z.writestr(name, npy(f"({2**60}, 4, 150)"))
    (ecdc.cwd / "x.npz").write_bytes(content.getvalue())
    refuses("x.npz", "decode", "x.npz", "-o", "out.wav", "-m", TINY.parent / "tiny48")
    data = bytearray(content.getvalue())
    for signature, at in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):  # sizes, packed and not
        struct.pack_into("<2I", data, data.index(signature) + at, 2**32 - 2, 2**32 - 2)
    (ecdc.cwd / "x.npz").write_bytes(data)
    refuses("x.npz", "decode", "x.npz", "-o", "out.wav", "-m", TINY.parent / "tiny48")


def test_npz_that_unpacks_to_much(ecdc, refuses):
    with zipfile.ZipFile(ecdc.cwd / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("codes.npy", "w") as entry:
            entry.write(npy("(100, 4, 150)")[:-1600])
            for _ in range(16):
                entry.write(bytes(1 << 24))
    refuses("x.npz", "decode", "x.npz", "-o", "out.wav", "-m", TINY.parent / "tiny48", says="too many bytes")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 2**31, 10**8])
def test_safetensors(ecdc, refuses, length):
    shutil.copytree(TINY, ecdc.cwd / "model", ignore=shutil.ignore_patterns("*.npy", "layers", "lengths"))
    data = (TINY / "model.safetensors").read_bytes()
    (ecdc.cwd / "model" / "model.safetensors").write_bytes(struct.pack("<Q", length) + data[8:])
    refuses("model/model.safetensors", "info", "model", says=f"claims a header of {length} bytes")
    refuses("model/model.safetensors", "autoencoder", "run", "model/model.safetensors", "x.npy", "-o", "out.npy")


def test_safetensors_whose_file_has_holes(ecdc, refuses):
    """A terabyte that lies on no disk."""
    shutil.copytree(TINY, ecdc.cwd / "model", ignore=shutil.ignore_patterns("*.npy", "layers", "lengths"))
    header, tensors = files.read_safetensors((TINY / "model.safetensors").read_bytes())
    name = "encoder.layers.0.conv.bias"
    header[name] = {"dtype": "F32", "shape": [2**38], "data_offsets": [len(tensors), len(tensors) + 2**40]}
    path = ecdc.cwd / "model" / "model.safetensors"
    path.write_bytes(files.write_safetensors(header, bytes(tensors)))
    with path.open("r+b") as f:
        f.truncate(path.stat().st_size + 2**40)
    refuses("model.safetensors", "info", "model", says=f"tensor {name} has the shape ({2**38}); the config asks for (")
    for n in 10**8, 99_999_999:
        path.write_bytes(struct.pack("<Q", n))
        with path.open("r+b") as f:
            f.truncate(2**40)
        refuses("model.safetensors", "info", "model", says="byte 0 is zero")


@pytest.mark.parametrize("change", [{"num_filters": 10**9}, {"num_filters": 2**31}, {"hidden_size": 10**9}, {"num_lstm_layers": 10**9},
                                    {"codebook_size": 2**30}, {"kernel_size": 10**9}, {"num_residual_layers": 10**9}, {"compress": 10**9},
                                    {"upsampling_ratios": [10**9] * 4}, {"upsampling_ratios": [2] * 10**5}, {"sampling_rate": 2**31},
                                    {"target_bandwidths": [1e300]}, {"target_bandwidths": [3.0] * 10**5}, {"audio_channels": 10**9},
                                    {"dilation_growth_rate": 10**9}], ids=lambda c: " ".join(c))
def test_config(ecdc, refuses, change):
    shutil.copytree(TINY, ecdc.cwd / "model", ignore=shutil.ignore_patterns("*.npy", "layers", "lengths"))
    config = json.loads((TINY / "config.json").read_text())
    (ecdc.cwd / "model" / "config.json").write_text(json.dumps({**config, **change}))
    refuses("model/", "info", "model")


def test_ecdc(ecdc, refuses, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "x.ecdc", "-q")
    whole = (ecdc.cwd / "x.ecdc").read_bytes()
    header, payload = files.split_ecdc(whole)
    for data in (whole[:5] + b"\xff\xff\xff\xff" + whole[9:], files.write_ecdc({**header, "al": 2**53}, payload),
                 files.write_ecdc({**header, "nc": 10**9}, payload)):
        (ecdc.cwd / "x.ecdc").write_bytes(data)
        refuses("x.ecdc", "decode", "x.ecdc", "-o", "out.wav")


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("shape", [(32767,) * 4, (32767, 32767, 2, 2), (1, 1, 1, 32767)])
def test_nifti(ecdc, refuses, name, shape):
    data = bytearray(write_nifti(ecdc.cwd / "small.nii", np.zeros((2, 2, 2, 2), np.int16)).read_bytes())
    struct.pack_into("<8h", data, 40, 4, *shape, 1, 1, 1)
    (ecdc.cwd / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    refuses(name, "fmri", "mask", name, "-o", "out.nii.gz")


def test_th(ecdc, refuses):
    """A storage of 2^60 numbers by the word of the pickle; by that of the archive."""
    shutil.copytree(TINY.parent / "torch", ecdc.cwd / "model")
    path = ecdc.cwd / "model" / "checkpoint.th"
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02", data.rindex(b"PK\x03\x04"))
    struct.pack_into("<2I", data, at + 20, 2**32 - 2, 2**32 - 2)
    path.write_bytes(data)
    refuses("checkpoint.th", "info", "model")
    path.write_bytes(data[:100])
    with path.open("r+b") as f:
        f.truncate(2**40)
    refuses("checkpoint.th", "info", "model")


def wav(claimed, channels=1, rate=24000, fmt_bytes=16):
    """A header and no sound."""
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", min(claimed + 36, 2**32 - 1), b"WAVE", b"fmt ", fmt_bytes, 1, channels, rate,
                       min(2 * channels * rate, 2**32 - 1), min(2 * channels, 2**16 - 1), 16, b"data", claimed)


SOUNDS = {
    "data of 2 GB": wav(2**31 - 2**21),  # larger numbers stand for a length that is not known
    "a format of 4 GB": wav(2**20, fmt_bytes=2**32 - 64),
    "65535 channels": wav(2**20, channels=65535),
    "4 GHz": wav(2**20, rate=2**32 - 1),
    "an index of 2^32 samples": struct.pack(">I4s4sI4sI4s", 24, b"ftyp", b"isom", 0, b"isom", 88, b"moov")
        + struct.pack(">I4sI4sI4sI4sI4sIII", 80, b"trak", 72, b"mdia", 64, b"minf", 56, b"stbl", 20, b"stsz", 0, 0, 2**32 - 1) + bytes(28),
    "an element of 2^56 bytes": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02\x18\x53\x80\x67\x01" + b"\xff" * 6 + b"\xfe"
        + b"\x16\x54\xae\x6b\x01" + b"\xff" * 6 + b"\xfe" + bytes(64),
    "a comment of 16 MB": b"fLaC\x84\xff\xff\xff" + bytes(64),
}


@pytest.mark.parametrize("content", SOUNDS.values(), ids=SOUNDS)
def test_sound(ecdc, refuses, content):
    (ecdc.cwd / "in.x").write_bytes(content + bytes(96))
    refuses("in.x", "encode", "in.x", "-o", "out.npy", "-m", TINY)


def test_json(ecdc, refuses):
    """A file of 2^40 bytes where a description is expected."""
    shutil.copytree(TINY, ecdc.cwd / "model", ignore=shutil.ignore_patterns("*.npy", "layers", "lengths"))
    with (ecdc.cwd / "model" / "config.json").open("r+b") as f:
        f.truncate(2**40)
    refuses("config.json", "info", "model", says=f"has {2**40} bytes")
