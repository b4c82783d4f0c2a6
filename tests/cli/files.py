"""The file formats, read and written by hand: what the command does is held against these."""

import json
import math
import struct
import wave

import numpy as np

# ------------------------------------------------------------------------------------------------------ WAV --


def write_wav(path, samples, rate=24000):
    """int16 samples, (n,) or (n, channels)."""
    samples = np.asarray(samples, "<i2")
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(samples.tobytes())
    return path


def write_float_wav(path, samples, rate=24000):
    data = np.asarray(samples, "<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def wav_chunks(data):
    """(tag, claimed size, bytes) of each chunk."""
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    at, chunks = 12, []
    while at + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, at)
        chunks.append((tag, size, data[at + 8:at + 8 + size]))
        at += 8 + size + (size & 1)
    return chunks


def read_wav(path_or_bytes):
    """(rate, samples): int16 as they are, float32 as they are; mono."""
    data = path_or_bytes if isinstance(path_or_bytes, bytes) else path_or_bytes.read_bytes()
    chunks = {tag: content for tag, _, content in wav_chunks(data)}
    kind, channels, rate, per_second, align, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    assert channels == 1 and align == bits // 8 and per_second == rate * align
    if kind == 0xFFFE:  # extensible: the kind begins a GUID
        kind, = struct.unpack_from("<H", chunks[b"fmt "], 24)
    assert (kind, bits) in ((1, 16), (3, 32))
    return rate, np.frombuffer(chunks[b"data"], "<i2" if kind == 1 else "<f4")


# ---------------------------------------------------------------------------------------------------- .ecdc --


def read_ecdc(data, hop=320, bits=10):
    """(header, codes (codebooks, frames)) as facebookresearch/encodec writes them."""
    magic, version, n = struct.unpack_from(">4sBI", data)
    assert (magic, version) == (b"ECDC", 0)
    header = json.loads(data[9:9 + n])
    packed, frames = data[9 + n:], math.ceil(header["al"] / hop)
    assert len(packed) == math.ceil(frames * header["nc"] * bits / 8)
    ones = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")[:frames * header["nc"] * bits]
    codes = ones.reshape(-1, bits) @ (1 << np.arange(bits))
    return header, codes.reshape(frames, header["nc"]).T


def write_ecdc(header, payload, version=0):
    """header: an object, or the text itself."""
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack(">4sBI", b"ECDC", version, len(text)) + text + payload


def split_ecdc(data):
    n, = struct.unpack_from(">I", data, 5)
    return json.loads(data[9:9 + n]), data[9 + n:]


# ---------------------------------------------------------------------------------------------- safetensors --


def read_safetensors(data):
    """(header, bytes behind it)."""
    n, = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + n]), data[8 + n:]


def write_safetensors(header, tensors):
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors
