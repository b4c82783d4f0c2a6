"""Command lines: help, and what is refused with exit status 2."""

import re

import pytest

OPTIONS = {  # every option of every command, as the manual has them
    "encode": "output format overwrite track partial-input model bandwidth threads precision cpu json",
    "decode": "output format overwrite model force float rescale threads precision cpu json",
    "features": "output format overwrite track partial-input model bandwidth codebooks tr max-trs layout alignment partial "
                "mode per-frame hrf dtype threads precision cpu json",
    "reconstruct": "output format overwrite model force bandwidth codebooks tr layout alignment as-giblet float rescale "
                   "threads precision cpu json",
    "report": "output format overwrite track partial-input model bandwidth tr alignment threads precision cpu json",
    "compare": "track partial-input json",
    "info": "track partial-input tr json",
    "model": "format overwrite dtype python audio threads cpu json",
    "fmri": "output overwrite mask zscore tr max-trs threads json",
    "dataset": "out film subjects scans model bandwidth codebooks tr max-trs mode hrf no-zscore threads precision cpu json",
    "bench": "model bandwidth seconds repeats profile threads precision cpu json",
    "batch": "output format overwrite track partial-input model bandwidth codebooks tr max-trs layout alignment partial "
             "mode per-frame hrf dtype jobs shard precision cpu json",
}
OPTIONS = {command: {*options.split(), "quiet", "help"} for command, options in OPTIONS.items()}
LETTERS = {"output": "o", "overwrite": "f", "model": "m", "bandwidth": "b", "rescale": "r", "quiet": "q", "help": "h"}
VALUES = {"output": "x.npy", "track": "0", "format": "npy", "model": "default", "bandwidth": "3", "codebooks": "1", "tr": "1.5",
          "max-trs": "1", "layout": "codes", "alignment": "exact", "mode": "encodec", "dtype": "int16", "hrf": "none", "threads": "1",
          "mask": "x.nii", "out": "x", "film": "x.mp4", "subjects": "1", "scans": "*",
          "precision": "f32", "cpu": "auto", "seconds": "1", "repeats": "1", "python": "python3", "audio": "x.wav",
          "jobs": "2", "shard": "1/2"}


def test_help(ecdc):
    for args in ("--help",), ("-h",), ("help",):
        r = ecdc(*args)
        assert r.stderr == "" and r.text.startswith("usage: ecdc COMMAND ")
        for command in OPTIONS:
            assert re.search(rf"^  {command} +\S", r.text, re.M), command
        listing = r.text.split("\n\n")[2].splitlines()
        assert all(re.match(r"  [a-z]+ +\S| {15}\S", line) for line in listing), "what goes on stands below what it belongs to"


def test_version(ecdc):
    assert re.fullmatch(r"ecdc \d+\.\d+\.\d+ \((reference|avx2|avx512|neon)\)\n", ecdc("--version").text)


def test_no_command(ecdc):
    r = ecdc.run()
    assert r.status == 2 and r.stdout == b"" and r.stderr.startswith("usage: ecdc COMMAND ")


def test_unknown_command(ecdc):
    ecdc.refuses("transcode", "in.wav", status=2, says="no command 'transcode'; ecdc --help lists them")


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_has_all_its_options(ecdc, command):
    r = ecdc(command, "--help")
    assert r.stderr == "" and r.text.startswith(f"usage: ecdc {command} [OPTION ...]")
    assert r.text == ecdc(command, "-h").text
    listed = re.findall(r"^  (?:-(\w), |    )--([a-z-]+)(?: ([A-Z]+))? +\S", r.text, re.M)
    assert {name for _, name, _ in listed} == OPTIONS[command]
    for letter, name, value in listed:
        assert letter == LETTERS.get(name, "")
        assert bool(value) == (name in VALUES)
    assert max(map(len, r.text.splitlines())) <= 120


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_by_its_name(ecdc, command):
    for word in "help", "--help", "-h":
        assert ecdc(word, command).text == ecdc(command, "--help").text


@pytest.mark.parametrize("command, option, says, not_said", [
    ("bench", "model", "(default: random:encodec_24khz)", "default: default"), ("batch", "output", "directory", "standard output"),
    ("autoencoder", "force", "trained on", "decode"), ("fmri", "mask", "extract and restore need it", None),
    ("features", "dtype", "int64 or int16", "float"), ("model", "dtype", "float32 or float16", "int"),
    ("encode", "format", "ecdc, npy or npz", "wav"), ("decode", "format", "wav", "npy"), ("features", "format", "npy", "ecdc"),
    ("report", "format", "html or png", "npy"), ("model", "format", "safetensors or th", "npy"), ("batch", "format", "ecdc, npy or npz", "wav"),
    ("encode", "bandwidth", "(default: 3)", "several"), ("report", "bandwidth", "several", None),
    ("dataset", "hrf", "(default: giblet for codes", "default: none"), ("fmri", "max-trs", "refused", "stop"),
])
def test_help_says_what_an_option_means_to_the_command(ecdc, command, option, says, not_said):
    rows = re.split(r"\n  (?=-|    --)", ecdc(command, "--help").text)
    row, = (" ".join(row.split()) for row in rows if re.match(rf"(-\w, |    )--{option}\b", row))
    assert says in row and (not_said is None or not_said not in row)


@pytest.mark.parametrize("command", OPTIONS)
def test_the_options_in_the_help_are_taken_and_no_other(ecdc, command):
    for name in set().union(*OPTIONS.values()):
        args = [f"--{name}", *([VALUES[name]] if name in VALUES else [])]
        if name in OPTIONS[command]:
            ecdc(command, *args, "--help")
            if name in LETTERS:
                ecdc(command, "-" + LETTERS[name], *args[1:], "--help")
        else:  # nor as a short form: --tr is not --track
            ecdc.refuses(command, *args, status=2, says=f"{command}: no option --{name}; ecdc {command} --help lists them")


@pytest.mark.parametrize("args, says", [
    (("encode", "--bogus", "in.wav", "-o", "x.npy"), "no option --bogus"),
    (("encode", "--bogus=1", "in.wav", "-o", "x.npy"), "no option --bogus=1"),
    (("encode", "-z", "in.wav", "-o", "x.npy"), "no option -z"),
    (("encode", "-qz", "in.wav", "-o", "x.npy"), "no option -z"),
    (("encode", "--json", "-zq", "in.wav", "-o", "x.npy"), "no option -z"),
    (("encode", "in.wav", "-o", "x.npy", "--json=yes"), "encode: --json takes no value"),
    (("encode", "--quiet=yes", "in.wav", "-o", "x.npy"), "encode: --quiet takes no value"),
    (("encode", "--quiet=", "in.wav", "-o", "x.npy"), "encode: --quiet takes no value"),
    (("encode", "--tr=2", "in.wav", "-o", "x.npy"), "encode: no option --tr=2"),
    (("help", "transcode"), "no command 'transcode'; ecdc --help lists them"),
    (("help", "encode", "decode"), "usage: ecdc help COMMAND"),
    (("encode", "in.wav", "-o"), "-o needs a value"),
    (("encode", "in.wav", "--threads"), "--threads needs a value"),
    (("encode", "in.wav"), "-o FILE is missing"),
    (("decode", "in.ecdc"), "-o FILE is missing"),
    (("features", "in.wav"), "-o FILE is missing"),
    (("reconstruct", "in.npy"), "-o FILE is missing"),
    (("batch", "films"), "-o FILE is missing"),
    (("encode", "-o", "x.npy"), "usage: ecdc encode [OPTION ...] IN -o OUT.ecdc|OUT.npy"),
    (("encode", "a.wav", "b.wav", "-o", "x.npy"), "usage: ecdc encode"),
    (("decode", "-o", "x.wav"), "usage: ecdc decode"),
    (("info",), "usage: ecdc info"),
    (("bench", "extra"), "usage: ecdc bench"),
])
def test_arguments(ecdc, args, says):
    ecdc.refuses(*args, status=2, says=says)


@pytest.mark.parametrize("option, value, allowed", [
    ("-b", "abc", "--bandwidth abc: allowed is a number of kbps such as 1.5, 3"),
    ("-b", "", "--bandwidth : allowed is"), ("-b", "0", "--bandwidth 0: allowed is"), ("-b", "-3", "--bandwidth -3"),
    ("-b", "3,", "--bandwidth 3,: allowed is"), ("-b", "3,x", "--bandwidth 3,x"), ("-b", "1.5,3", "features: one --bandwidth is needed, not 2"),
    ("-b", "nan", "--bandwidth nan"), ("-b", "inf", "--bandwidth inf"), ("-b", "3kbps", "--bandwidth 3kbps"),
    ("--threads", "0", "--threads 0: allowed is 1 to 256"), ("--threads", "257", "--threads 257"),
    ("--threads", "-1", "--threads -1"), ("--threads", "two", "--threads two"), ("--threads", "1.5", "--threads 1.5"),
    ("--threads", "99999999999999999999", "--threads 99999999999999999999"),
    ("--cpu", "mmx", "--cpu mmx: allowed is auto, avx512, avx2, neon or reference"),
    ("--precision", "f16", "--precision f16: allowed is f32 or bf16"),
    ("--format", "mp3", "--format mp3: allowed is ecdc, npy, npz or wav; for report html or png"),
    ("--tr", "0", "--tr: TR '0' is not a positive number of seconds such as 1.5, 0.72 or 2/3"),
    ("--tr", "-1", "TR '-1'"), ("--tr", "nan", "TR 'nan'"), ("--tr", "inf", "TR 'inf'"), ("--tr", "1e9", "TR '1e9'"),
    ("--tr", "", "TR ''"), ("--tr", "1.5s", "TR '1.5s'"), ("--tr", "1/0", "TR '1/0'"), ("--tr", "2/", "TR '2/'"),
    ("--tr", "1.5.0", "TR '1.5.0'"), ("--tr", "1" * 40, "is not a positive number"),
    ("--tr", "3601", "TR '3601' is outside one frame (1/75 s) to 3600 s"),
    ("--tr", "0.013", "TR '0.013' is outside one frame (1/75 s) to 3600 s"),
    ("--max-trs", "0", "--max-trs 0: allowed is"), ("--max-trs", "x", "--max-trs x"),
    ("--codebooks", "0", "--codebooks 0: allowed is"), ("--codebooks", "-1", "--codebooks -1"),
    ("--layout", "rows", "--layout rows: allowed is codes, flat or giblet"),
    ("--alignment", "left", "--alignment left: allowed is giblet or exact"),
    ("--mode", "mp3", "--mode mp3: allowed is encodec"),
    ("--dtype", "int8", "--dtype int8: allowed is int64 or int16"),
])
def test_values(ecdc, sounds, option, value, allowed):
    ecdc.refuses("features", sounds["short.wav"], "-o", "x.npy", option, value, status=2, says=allowed)


def test_names_that_look_like_options(ecdc, sounds):
    (ecdc.cwd / "-in.wav").write_bytes(sounds["short.wav"].read_bytes())
    ecdc("encode", "-o", "-out.npy", "-q", "--", "-in.wav")
    assert (ecdc.cwd / "-out.npy").exists()
