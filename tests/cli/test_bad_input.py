"""Whatever a file holds, the command ends with one clear line and leaves nothing behind."""

import json
import shutil
import struct

import numpy as np
import pytest

import files
from run import TINY


def refuse_sound(ecdc, path, says):
    ecdc.refuses("encode", path, "-o", "out.npy", "-m", TINY, says=says)
    ecdc.refuses("encode", path, "-o", "out.ecdc", "-m", TINY, says=says)
    ecdc.refuses("features", path, "-o", "out.npy", "-m", TINY, says=says)


# --------------------------------------------------------------------------------------------------- media --


@pytest.mark.parametrize("name, content, says", [
    ("noise.wav", bytes(range(256)) * 20, "not a media file that FFmpeg can read"),
    ("notes.txt", b"This is a text about sound.\n" * 40, "not a media file that FFmpeg can read"),
    ("notes.wav", b"This is a text about sound.\n" * 40, "not a media file that FFmpeg can read"),
    ("table.npy", b"\x93NUMPY\x01\x00\x10\x00", "not a media file that FFmpeg can read"),
    ("empty.wav", b"", "is empty, not a media file"),
])
def test_no_media_file(ecdc, name, content, says):
    (ecdc.cwd / name).write_bytes(content)
    refuse_sound(ecdc, name, [name, says])
    ecdc.refuses("compare", name, name, says=[name, says])
    if name != "table.npy":
        ecdc.refuses("info", name, "--json", says=[name, says])


def test_missing_file(ecdc):
    refuse_sound(ecdc, "none.wav", "none.wav: No such file or directory")
    ecdc.refuses("info", "none.wav", says="none.wav: No such file or directory")
    for name in "none.npy", "none.ecdc":
        ecdc.refuses("decode", name, "-o", "out.wav", says=f"{name}: No such file or directory")
    ecdc.refuses("reconstruct", "none.npy", "-o", "out.wav", says="none.npy: No such file or directory")


def test_directory(ecdc):
    (ecdc.cwd / "folder.npy").mkdir()
    refuse_sound(ecdc, "folder.npy", "folder.npy: Is a directory")
    ecdc.refuses("decode", "folder.npy", "-o", "out.wav", says="folder.npy: Is a directory")
    ecdc.refuses("reconstruct", "folder.npy", "-o", "out.wav", says="folder.npy: Is a directory")
    ecdc.refuses("decode", ".", "-o", "out.wav", says=".: Is a directory")


def test_sound_of_no_length(ecdc):
    files.write_wav(ecdc.cwd / "zero.wav", [])
    refuse_sound(ecdc, "zero.wav", "zero.wav: no sound")


@pytest.mark.parametrize("rate", [1, 999, 768001])
def test_rates_that_no_sound_has(ecdc, rate):
    files.write_wav(ecdc.cwd / "rate.wav", np.zeros(3000, np.int16), rate)
    for args in ("encode", "rate.wav", "-o", "x.npy"), ("info", "rate.wav"):
        ecdc.refuses(*args, says=[f"rate.wav: a sampling rate of {rate} Hz is not supported, 1000 to 768000 Hz are", "asetrate"])


def test_nothing_on_standard_input(ecdc):
    ecdc.refuses("encode", "-", "-o", "out.npy", says="standard input", stdin=b"")
    ecdc.refuses("encode", "-", "-o", "out.npy", says="standard input: not a media file", stdin=b"hello\n" * 100)


def test_film_without_sound(ecdc, sounds):
    refuse_sound(ecdc, sounds["mute.mp4"], ["mute.mp4: has no audio track (found: video "])


def test_sound_that_breaks_off(ecdc, sounds):
    data = sounds["talk.wav"].read_bytes()
    (ecdc.cwd / "cut.wav").write_bytes(data[:44 + 158000])
    refuse_sound(ecdc, "cut.wav", "cut.wav: breaks off at 3.292 s of 6.603 s")
    (ecdc.cwd / "cut.wav").write_bytes(data[:44 + 157999])  # inside a sample
    refuse_sound(ecdc, "cut.wav", "cut.wav: ")
    data = sounds["film.mp4"].read_bytes()
    (ecdc.cwd / "cut.mp4").write_bytes(data[:len(data) // 2])
    refuse_sound(ecdc, "cut.mp4", "cut.mp4: ")


def test_sound_that_is_not_finite(ecdc):
    samples = np.zeros(10000)
    samples[7000] = np.nan
    files.write_float_wav(ecdc.cwd / "nan.wav", samples)
    refuse_sound(ecdc, "nan.wav", ["nan.wav: the sample at 0.29", "is not a finite number"])


def test_playlist_opens_no_other_file(ecdc, sounds):
    (ecdc.cwd / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{sounds['short.wav']}\n#EXT-X-ENDLIST\n")
    refuse_sound(ecdc, "list.m3u8", "list.m3u8: ")


# -------------------------------------------------------------------------------------- bandwidth and model --


def test_bandwidth_that_the_model_lacks(ecdc, sounds):
    ecdc.refuses("encode", sounds["short.wav"], "-o", "out.npy", "-b", "5",
                 says=["bandwidth 5 kbps is not supported by", "it offers 1.5, 3, 6, 12, 24 kbps"])
    ecdc.refuses("features", sounds["short.wav"], "-o", "out.npy", "-b", "12", "-m", TINY, says="it offers 1.5, 3, 6 kbps")


def refuse_model(ecdc, sounds, model, says):
    ecdc.refuses("encode", sounds["short.wav"], "-o", "out.npy", "-m", model, says=says)
    ecdc.refuses("bench", "-m", model, "--seconds", "1", says=says)


def test_unknown_models(ecdc, sounds):
    refuse_model(ecdc, sounds, "nowhere", ["no model `nowhere`", "possible are `default`", "random:encodec_24khz"])
    refuse_model(ecdc, sounds, "no/where", ["there is no file or directory no/where, and no/where is not in the Hugging Face cache",
                                            "HF_HUB_OFFLINE=1", "`ecdc model fetch no/where`", "-m default"])
    refuse_model(ecdc, sounds, "./nowhere", ["no model ./nowhere: there is no such file or directory"])
    refuse_model(ecdc, sounds, "random:encodec_11khz", ["random:encodec_11khz"])
    refuse_model(ecdc, sounds, sounds["short.wav"], ["short.wav is not a model file"])
    refuse_model(ecdc, sounds, "", ["no model ``"])


def test_directory_without_a_model(ecdc, sounds):
    (ecdc.cwd / "model").mkdir()
    refuse_model(ecdc, sounds, "model", "the directory model is not a model: it holds no config.json and no model.safetensors")
    shutil.copy(TINY / "model.safetensors", ecdc.cwd / "model")
    refuse_model(ecdc, sounds, "model", "it holds no config.json")
    (ecdc.cwd / "model" / "model.safetensors").unlink()
    shutil.copy(TINY / "config.json", ecdc.cwd / "model")
    refuse_model(ecdc, sounds, "model", "it holds no model.safetensors")


HEADER, TENSORS = files.read_safetensors((TINY / "model.safetensors").read_bytes())
NAME = "encoder.layers.13.lstm.weight_hh_l1"


def changed(**fields):
    return files.write_safetensors({**HEADER, NAME: {**HEADER[NAME], **fields}}, TENSORS)


begin, end = HEADER[NAME]["data_offsets"]
GOOD = files.write_safetensors(HEADER, TENSORS)
BROKEN_WEIGHTS = {
    "empty": (b"", "is empty"),
    "four bytes": (b"\1\0\0\0", "not a safetensors file: it has 4 bytes"),
    "length beyond the file": (struct.pack("<Q", 10**6) + b"{}", "not a safetensors file, or cut short"),
    "length of 2^63": (struct.pack("<Q", 2**63) + b"{}", "not a safetensors file, or cut short"),
    "length of 2^64 - 1": (b"\xff" * 8 + b"{}", "not a safetensors file, or cut short"),
    "no header": (struct.pack("<Q", 0), "header"),
    "no JSON": (files.write_safetensors("hello", b""), "header"),
    "half a JSON": (files.write_safetensors(json.dumps(HEADER)[:200], b""), "header"),
    "an array": (files.write_safetensors("[1, 2]", b""), "header"),
    "a deep array": (files.write_safetensors("[" * 100000, b""), "header"),
    "a NUL": (files.write_safetensors(json.dumps(HEADER).replace("lstm", "ls\0tm"), TENSORS), "header"),
    "an entry that is a number": (files.write_safetensors({**HEADER, NAME: 1}, TENSORS), f"entry for {NAME} is not an object"),
    "no tensors": (files.write_safetensors({}, b""), "not an EnCodec checkpoint: none of its 0 tensors"),
    "a tensor missing": (files.write_safetensors({k: v for k, v in HEADER.items() if k != NAME}, TENSORS), NAME),
    "another dtype": (changed(dtype="F8"), NAME),
    "no dtype": (changed(dtype=None), f"{NAME} has no dtype"),
    "another shape": (changed(shape=HEADER[NAME]["shape"][::-1] + [1]), NAME),
    "no shape": (changed(shape="big"), f"{NAME} has no shape"),
    "a negative shape": (changed(shape=[-1, 4]), NAME),
    "a huge shape": (changed(shape=[2**40, 2**40]), NAME),
    "a shape of doubles": (changed(shape=[0.5, 4]), NAME),
    "offsets the wrong way round": (changed(data_offsets=[end, begin]), NAME),
    "offsets past the end": (changed(data_offsets=[begin + 2**40, end + 2**40]), NAME),
    "negative offsets": (changed(data_offsets=[-4, end]), NAME),
    "one offset": (changed(data_offsets=[begin]), NAME),
    "offsets of another tensor": (changed(data_offsets=[begin - 4, end - 4]), "overlap"),
    "cut short": (GOOD[:-1], "data_offsets of tensor"),
    "cut in half": (GOOD[:len(GOOD) // 2], "data_offsets of tensor"),
}


@pytest.mark.parametrize("content, says", BROKEN_WEIGHTS.values(), ids=BROKEN_WEIGHTS)
def test_broken_weights(ecdc, sounds, content, says):
    (ecdc.cwd / "model").mkdir()
    shutil.copy(TINY / "config.json", ecdc.cwd / "model")
    (ecdc.cwd / "model" / "model.safetensors").write_bytes(content)
    refuse_model(ecdc, sounds, "model", ["model/model.safetensors", says])
    ecdc.refuses("info", "model", "--json", says=says)
    ecdc.refuses("model", "convert", "model", "copy", says=says)


@pytest.mark.parametrize("change, says", [
    (lambda c: "", "config.json"),
    (lambda c: "{", "config.json"),
    (lambda c: "[]", "config.json"),
    (lambda c: {**c, "model_type": "bert"}, "model_type"),
    (lambda c: {**c, "sampling_rate": "24000"}, "sampling_rate"),
    (lambda c: {**c, "sampling_rate": -1}, "sampling_rate"),
    (lambda c: {**c, "upsampling_ratios": []}, "upsampling_ratios"),
    (lambda c: {**c, "upsampling_ratios": [8, 5, 4, 0]}, "upsampling_ratios"),
    (lambda c: {**c, "upsampling_ratios": [10**6] * 4}, "upsampling_ratios"),
    (lambda c: {**c, "target_bandwidths": []}, "target_bandwidths"),
    (lambda c: {**c, "codebook_size": 2**31}, "codebook"),
    (lambda c: {**c, "num_filters": 8}, "encoder.layers.0"),
    (lambda c: {**c, "hidden_size": 10**9}, ""),
    (lambda c: {**c, "num_lstm_layers": 10**9}, ""),
])
def test_broken_config(ecdc, sounds, change, says):
    shutil.copytree(TINY, ecdc.cwd / "model", ignore=shutil.ignore_patterns("*.npy", "layers", "lengths"))
    config = change(json.loads((TINY / "config.json").read_text()))
    (ecdc.cwd / "model" / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    refuse_model(ecdc, sounds, "model", ["model", says])


# ---------------------------------------------------------------------------------------------------- .npy --


def refuse_codes(ecdc, content, says, name="in.npy"):
    if isinstance(content, np.ndarray):
        np.save(ecdc.cwd / name, content)
    else:
        (ecdc.cwd / name).write_bytes(content)
    ecdc.refuses("decode", name, "-o", "out.wav", "-m", TINY, says=[name, says])


CODES = np.zeros((4, 50), int)


def with_code(code, order="C"):
    codes = CODES.copy(order)
    codes[2, 49] = code
    return codes


@pytest.mark.parametrize("array, says", [
    (CODES.astype(np.float32), "codes are integers, this array is float32"),
    (CODES.astype(float), "codes are integers, this array is float64"),
    (CODES.astype(">i8"), "items of type '>i8' (big-endian) are not supported"),
    (CODES.astype(np.uint16), "items of type '<u2' are not supported"),
    (CODES.astype(bool), "items of type '|b1' are not supported"),
    (CODES.astype(complex), "items of type '<c16' are not supported"),
    (CODES.astype(str), "(text) are not supported"),
    (np.array([[{}]], object), "(Python objects) are not supported"),
    (np.zeros((4, 5), [("a", "<i4")]), "the type is a structure"),
    (CODES[0], "this array has 1 dimensions"),
    (np.array(7), "this array has 0 dimensions"),
    (CODES[:, None, :], "this array has 3 dimensions; rows of TRs are for ecdc reconstruct"),
    (np.zeros((2, 1, 4, 50), int), "this array has 4 dimensions"),
    (np.zeros((9, 50), int), "9 codebooks (its first axis), tiny24 has 1 to 8"),
    (np.zeros((50, 4), int), "50 codebooks (its first axis)"),
    (np.zeros((0, 50), int), "0 codebooks"),
    (np.zeros((4, 0), int), "no sound"),
    (with_code(-1), "code -1 at codebook 2, frame 49 is outside 0 to 1023"),
    (with_code(1024), "code 1024 at codebook 2, frame 49 is outside 0 to 1023"),
    (with_code(1024, "F"), "code 1024 at codebook 2, frame 49 is outside 0 to 1023"),
    (with_code(2**62), f"code {2**62} at codebook 2"),
    (with_code(-2**63), f"code {-2**63} at codebook 2"),
    (with_code(1024).astype(np.int16), "code 1024 at codebook 2"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_arrays_that_are_no_codes(ecdc, array, says):
    refuse_codes(ecdc, array, says)


def npy(header, data=b"", version=(1, 0)):
    text = header.encode() if isinstance(header, str) else header
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + data


DICT = "{'descr': '<i8', 'fortran_order': False, 'shape': (4, 50), }"


@pytest.mark.parametrize("content, says", [
    (b"", "not a .npy file (it has only 0 bytes)"),
    (b"\x93NUMPY\x01\x00", "not a .npy file (it has only 8 bytes)"),
    (b"NUMPY" * 10, "not a .npy file"),
    (npy(DICT, bytes(1600), (4, 0)), "version 4.0 of .npy is unknown"),
    (npy(DICT, bytes(1600), (1, 1)), "version 1.1 of .npy is unknown"),
    (npy("hello"), "the .npy header is broken: it is not a dictionary"),
    (npy("{"), "the .npy header is broken"),
    (npy("{}"), "descr, fortran_order or shape is missing"),
    (npy(DICT.replace("False", "Maybe"), bytes(1600)), "fortran_order is neither True nor False"),
    (npy(DICT.replace("50", "-50"), bytes(1600)), "a dimension is not a number"),
    (npy(DICT.replace("50", "9" * 30), bytes(1600)), "a dimension is too large"),
    (npy(DICT.replace("(4, 50)", "4"), bytes(1600)), "the shape is not a tuple"),
    (npy(DICT.replace("(4, 50)", "(4, 50"), bytes(1600)), "the .npy header is broken"),
    (npy(DICT.replace("(4, 50)", "(1, 1, 1, 1, 1, 1, 1, 4, 50)"), bytes(1600)), "more than 8 dimensions"),
    (npy(DICT.replace("50", "4611686018427387904"), bytes(1600)), "the shape is too large for any file"),
    (npy(DICT.replace("50", "1000000000000"), bytes(1600)), "is cut off: the shape claims 32000000000000 bytes"),
    (npy(DICT + DICT, bytes(1600)), "something follows the dictionary"),
    (npy(DICT, bytes(1601)), "has too many bytes: the shape claims 1600 bytes of data, the file has 1601"),
    (npy(DICT, bytes(1599)), "is cut off: the shape claims 1600 bytes of data, the file has 1599"),
    (npy(b"\xff" * 60, bytes(1600)), "the .npy header is broken"),
    (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + DICT.encode(), "is cut off: the header claims 4294967295 bytes"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_broken_arrays(ecdc, content, says):
    refuse_codes(ecdc, content, says)


def test_array_cut_anywhere(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "whole.npy", "-m", TINY)
    data = (ecdc.cwd / "whole.npy").read_bytes()
    for n in [*range(0, 128, 7), 127, 128, 129, 1000, len(data) - 1]:
        refuse_codes(ecdc, data[:n], "" if n < 10 else "is cut off")
        ecdc.refuses("reconstruct", "in.npy", "-o", "out.wav", "-m", TINY, says="in.npy")


# --------------------------------------------------------------------------------------------------- .ecdc --


@pytest.fixture
def whole(ecdc, sounds):
    ecdc("encode", sounds["short.wav"], "-o", "whole.ecdc", "-q")
    data = (ecdc.cwd / "whole.ecdc").read_bytes()
    (ecdc.cwd / "whole.ecdc").unlink()
    return data


def refuse_file(ecdc, content, says, *options):
    (ecdc.cwd / "in.ecdc").write_bytes(content)
    return ecdc.refuses("decode", "in.ecdc", "-o", "out.wav", *options, says=["in.ecdc", says])


def test_file_cut_anywhere(ecdc, whole):
    header = 9 + struct.unpack_from(">I", whole, 5)[0]
    for n in [*range(80), *range(80, header), header, header + 1, header + 2, header + 200, len(whole) - 2, len(whole) - 1]:
        refuse_file(ecdc, whole[:n], "it has only" if n < 9 else "is cut off")
    r = refuse_file(ecdc, whole[:header + 52], "is cut off after 10 of 94 frames")
    assert r.stderr == "ecdc: in.ecdc: is cut off after 10 of 94 frames\n"


def test_file_with_bytes_behind_it(ecdc, whole):
    refuse_file(ecdc, whole + b"\0", "1 bytes too many follow the 94 frames")
    refuse_file(ecdc, whole + bytes(5000), "5000 bytes too many")


def test_file_that_claims_more_than_it_holds(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    for al in header["al"] + 320, 10**12, 2**53:
        refuse_file(ecdc, files.write_ecdc({**header, "al": al}, payload), "is cut off after 94 of ")
    refuse_file(ecdc, files.write_ecdc({**header, "nc": 5}, payload), "is cut off after 75 of 94 frames")
    refuse_file(ecdc, files.write_ecdc({**header, "al": header["al"] - 320}, payload), "5 bytes too many follow the 93 frames")


def test_file_without_sound(ecdc, whole):
    header, _ = files.split_ecdc(whole)
    refuse_file(ecdc, files.write_ecdc({**header, "al": 0}, b""), "no sound")


def test_file_of_another_version(ecdc, whole):
    refuse_file(ecdc, whole[:4] + b"\1" + whole[5:], "version 1 of .ecdc is unknown, only version 0 is read")
    refuse_file(ecdc, b"ABCD" + whole[4:], "not an .ecdc file (it does not start with ECDC)")
    refuse_file(ecdc, b"RIFF" + bytes(100), "not an .ecdc file")


def test_file_of_another_model(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    other = files.write_ecdc({**header, "sha": "0123456789abcdef"}, payload)
    says = "was made with the model ecdc-mini-24khz (SHA-256 0123456789abcdef...), not with"
    says = says.replace("ecdc-mini-24khz", header["m"])
    refuse_file(ecdc, other, says)
    refuse_file(ecdc, other, "other weights turn its codes into noise", "-m", "default")
    (ecdc.cwd / "in.ecdc").write_bytes(other)
    ecdc("decode", "in.ecdc", "-o", "forced.wav", "--force")
    (ecdc.cwd / "right.ecdc").write_bytes(whole)
    ecdc("decode", "right.ecdc", "-o", "right.wav")
    assert (ecdc.cwd / "forced.wav").read_bytes() == (ecdc.cwd / "right.wav").read_bytes()
    ecdc.refuses("decode", "right.ecdc", "-o", "out.wav", "-m", TINY, says=["right.ecdc was made with", "not with tiny24"])


def test_file_of_an_unknown_model(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    header["sha"] = "0123456789abcdef"
    for name in "never-heard-of", "some-lab/model", "/etc", "random:encodec_99khz", "x" * 120:
        refuse_file(ecdc, files.write_ecdc({**header, "m": name}, payload), f"was made with the model {name} ")
    del header["sha"]
    refuse_file(ecdc, files.write_ecdc({**header, "m": "default"}, payload), "was made with the model default")


def test_same_weights_under_another_name(ecdc, sounds):
    ecdc("model", "convert", "default", "copy")
    ecdc("encode", sounds["short.wav"], "-m", "copy", "-o", "in.ecdc")
    assert files.split_ecdc((ecdc.cwd / "in.ecdc").read_bytes())[0]["m"] == "copy"
    ecdc("decode", "in.ecdc", "-o", "out.wav")  # by the hash of the embedded model


def test_file_with_a_language_model(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    says = ['"lm": true', "language model", "without its --lm option"]
    for text in says:
        refuse_file(ecdc, files.write_ecdc({**header, "lm": True}, payload), text)


@pytest.mark.parametrize("change, says", [
    ({"al": -1}, '"al" in the header is -1'), ({"al": 1.5}, '"al" in the header is 1.5'), ({"al": 1e300}, '"al" in the header'),
    ({"al": "9"}, '"al" in the header is missing or not a number'), ({"al": None}, '"al" in the header is missing'),
    ({"nc": 0}, '"nc" in the header is 0'), ({"nc": -4}, '"nc" in the header is -4'), ({"nc": 10**9}, '"nc" in the header'),
    ({"nc": 33}, "33 codebooks"), ({"nc": [4]}, '"nc" in the header'),
    ({"lm": 0}, '"lm" in the header is missing or not true or false'),
    ({"m": ""}, '"m" in the header is not a model\'s name'), ({"m": 3}, '"m" in the header'), ({"m": "x" * 5000}, '"m" in the header'),
    ({"m": "a\0b"}, "NUL"), ({"sha": "12"}, '"sha" in the header is not 16 hexadecimal digits'), ({"sha": 1}, '"sha" in the header'),
])
def test_broken_headers(ecdc, whole, change, says):
    header, payload = files.split_ecdc(whole)
    refuse_file(ecdc, files.write_ecdc({**header, **change}, payload), says)


@pytest.mark.parametrize("text", ["", "hello", "[1]", "{", "{}" * 2, '{"m": "x"', "\xff\xfe", "[" * 60000])
def test_headers_that_are_no_json_object(ecdc, whole, text):
    refuse_file(ecdc, files.write_ecdc(text, files.split_ecdc(whole)[1]), "the header is not a JSON object")


def test_header_with_a_field_missing_or_twice(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    for key in "m", "al", "nc", "lm":
        refuse_file(ecdc, files.write_ecdc({k: v for k, v in header.items() if k != key}, payload), f'"{key}" in the header')
    text = json.dumps(header)
    refuse_file(ecdc, files.write_ecdc(text[:-1] + ', "al": 5}', payload), '"al" occurs twice in the header')


def test_further_fields_are_no_fault(ecdc, whole):
    header, payload = files.split_ecdc(whole)
    (ecdc.cwd / "in.ecdc").write_bytes(files.write_ecdc({"title": "x", **header, "more": [1, {}]}, payload))
    ecdc("decode", "in.ecdc", "-o", "out.wav")


def test_random_bytes(ecdc, whole):
    """Bytes changed at random: refused or decoded, never a crash."""
    rng = np.random.default_rng(3)
    header = 9 + struct.unpack_from(">I", whole, 5)[0]
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, header, 3):
            data[at] = rng.integers(0, 256)
        (ecdc.cwd / "in.ecdc").write_bytes(data)
        r = ecdc.run("decode", "in.ecdc", "-o", "out.wav")
        assert r.status in (0, 1), r.stderr
        if r.status == 0:
            length = files.split_ecdc(bytes(data))[0]["al"]
            assert len(files.read_wav(ecdc.cwd / "out.wav")[1]) == length and f"{length / 24000:.2f} s" in r.stderr
            (ecdc.cwd / "out.wav").unlink()
        else:
            assert r.stderr.startswith("ecdc: in.ecdc") and r.stderr.count("\n") == 1
            assert [p.name for p in ecdc.cwd.iterdir()] == ["in.ecdc"]


def test_no_room_for_a_pipe(ecdc, sounds):
    """Codes on a pipe wait in a temporary file, in the directory that TMPDIR names."""
    ecdc("encode", sounds["short.wav"], "-o", "c.ecdc", "-m", TINY)
    data = (ecdc.cwd / "c.ecdc").read_bytes()
    ecdc.refuses("decode", "-", "-o", "c.wav", "-m", TINY, stdin=data, env={"TMPDIR": "nowhere"},
                 says="standard input: no temporary file in nowhere to copy it into: No such file")
