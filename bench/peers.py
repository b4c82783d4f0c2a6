"""Side by side: ecdc, transformers, onnxruntime and OpenVINO on the same sound and weights, in turn, several times."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from common import KBPS, RATE, Failed, ecdc, run, spread

HERE = Path(__file__).parent
PEERS = [("transformers", "f32"), ("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16")]


def exported(r, seconds):
    """The folder with the exported model for sounds of this length; made once."""
    folder = r.cache / "onnx" / f"{r.model_id}-{seconds:g}s"
    if not (folder / "decoder.onnx").exists():
        run(sys.executable, HERE / "export.py", r.model, seconds, folder)
    return folder


class Worker:
    """A process of worker.py."""

    def __init__(self, r, peer, threads, precision, sound, seconds, model=None, kbps=KBPS):
        self.log = open(r.work / "worker.log", "ab")
        env = dict(os.environ, ECDC_BENCH_KBPS=str(kbps))
        if peer != "transformers":
            env["ECDC_BENCH_ONNX"] = str(exported(r, seconds))
        self.name = f"{peer} {precision}"
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", peer, model or r.model, str(threads), precision, sound, r.work],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=env, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended: {Path(self.log.name).read_text(errors='replace').strip()[-1000:]}")
        return json.loads(line)

    def ask(self, request):
        print(request, file=self.process.stdin, flush=True)
        answer = self.answer()
        time.sleep(0.1)  # its threads look for more work for a while before they sleep
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def command_pair(r, threads, precision, sounds):
    """x realtime of `ecdc encode` and `ecdc decode` as commands: the wall time for a long sound minus that for one second."""
    (long_s, long), (short_s, short) = sounds
    speeds = {}
    for action, ending in (("encode", "npy"), ("decode", "wav")):
        times = []
        for seconds, sound in ((long_s, long), (short_s, short)):
            codes = r.work / f"command-{seconds}.npy"
            source, to = (sound, codes) if action == "encode" else (codes, r.work / "command.wav")
            options = ["--precision", precision] if precision != "f32" else []
            times.append(ecdc(action, source, "-o", to, "-q", "-f", "-m", r.model, "--threads", threads, *options,
                              *(["-b", KBPS] if action == "encode" else [])).wall_s)
        speeds[action] = (long_s - short_s) / (times[0] - times[1])
    return speeds


def agreement(r, names):
    """Equal codes and largest difference of the decoded sound, held against transformers. In f32 all have to be the same codec:
    else speeds would not be comparable."""
    found = json.loads(run(sys.executable, HERE / "agreement.py", r.work, *names).stdout)
    for name, a in found.items():
        if name.endswith("-f32") and (a["equal"] < 0.999 or a["largest_error"] > 1e-4):
            raise Failed(f"{name} does not compute what transformers does: {a}")
    return found


def save_ecdc(r, sound, threads, precision, name):
    options = ["--precision", precision] if precision != "f32" else []
    ecdc("encode", sound, "-o", r.work / f"{name}-codes.npy", "-q", "-f", "-m", r.model, "-b", KBPS, "--threads", threads, *options)
    ecdc("decode", r.work / "codes.npy", "-o", r.work / f"{name}-sound.wav", "--float", "-q", "-f", "-m", r.model,
         "--threads", threads, *options)


def side_by_side(r, threads, seconds, precisions, peers):
    sound = r.sound(seconds)
    command_s = r.pick(300, 20)
    sounds = [(command_s, r.sound(command_s)), (1, r.sound(1))]
    names = [f"{p}-{q}" for p, q in peers] + [f"ecdc-{q}" for q in precisions]
    workers, peaks, shares = {}, [], {}
    times = {}  # (name, precision, what) -> x realtime in each round
    try:
        for peer, precision in peers:
            workers[peer, precision] = Worker(r, peer, threads, precision, sound, seconds)
        workers["transformers", "f32"].ask("reference")
        for (peer, precision), worker in workers.items():  # the first of everything is a warm-up
            for request in ("load", "encode", "decode", f"save {peer}-{precision}"):
                worker.ask(request)
        for precision in precisions:
            save_ecdc(r, sound, threads, precision, f"ecdc-{precision}")
        agreed = agreement(r, names)

        def keep(name, precision, what, value):
            times.setdefault((name, precision, what), []).append(value)

        for i in range(r.repeats):
            peaks.append(r.fma_peak())
            for precision in precisions:
                options = ["--precision", precision] if precision != "f32" else []
                done = r.bench("--threads", threads, "--seconds", seconds, *options)
                keep("ecdc", precision, "encode", done["encode_x_realtime"])
                keep("ecdc", precision, "decode", done["decode_x_realtime"])
                peak = peaks[-1][f"{precision}_gflops"]
                for what in ("encode", "decode") if peak else ():
                    shares.setdefault(f"{what} {precision}", []).append(done[f"{what}_gflops"] / (peak * threads))
                for what, speed in command_pair(r, threads, precision, sounds).items():
                    keep("ecdc command", precision, what, speed)
            for (peer, precision), worker in workers.items():
                for what in ("encode", "decode"):
                    keep(peer, precision, what, seconds / worker.ask(what)["seconds"])
            r.say(f"    round {i + 1} of {r.repeats}")
        memory = {f"{peer} {precision}": worker.ask("memory")["peak_mb"] for (peer, precision), worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    return {
        "threads": threads,
        "seconds": seconds,
        "command_seconds": command_s,
        "fma_peak": {k: spread([p[k] for p in peaks]) for k in peaks[0] if peaks[0][k]},
        "speeds": [{"name": n, "precision": p, "what": w, "x_realtime": spread(v)} for (n, p, w), v in times.items()],
        "share_of_peak": {k: spread(v) for k, v in shares.items()},
        "ratios": ratios(times, precisions, peers),
        "peak_mb": memory,
        "agreement": agreed,
    }


def ratios(times, precisions, peers):
    """How much faster ecdc is, round by round, so that what slows a whole round does not count."""
    found = []
    for precision in precisions:
        for peer, theirs in peers:
            for what in ("encode", "decode"):
                pairs = zip(times["ecdc", precision, what], times[peer, theirs, what])
                found.append({"precision": precision, "peer": peer, "peer_precision": theirs, "what": what,
                              "ratio": spread([mine / other for mine, other in pairs])})
    return found


def stereo_48(r, threads):
    """48 kHz against transformers: a line of its own. None, and the reason, where ecdc refuses the model."""
    model, seconds, kbps = r.work / "encodec_48khz", r.pick(20, 3), 6
    ecdc("model", "convert", "random:encodec_48khz", model, "-q", "-f")

    def mine():
        return ecdc("bench", "-m", model, "-b", kbps, "--threads", threads, "--seconds", seconds, "--repeats", 1, "--json").json

    try:
        mine()
    except Failed as e:
        return {"threads": threads, "refused": str(e).rpartition("ecdc: ")[2]}
    sound = r.work / "stereo.wav"
    run("ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", "-1", "-i", r.sound(11), "-t", seconds, "-ac", 2, "-ar", 48000,
        "-c:a", "pcm_s16le", sound)
    worker = Worker(r, "transformers", threads, "f32", sound, seconds, model, kbps)
    speeds = {("ecdc", w): [] for w in ("encode", "decode")} | {("transformers", w): [] for w in ("encode", "decode")}
    try:
        worker.ask("encode")  # a warm-up
        worker.ask("decode")
        for _ in range(r.repeats):
            done = mine()
            for what in ("encode", "decode"):
                speeds["ecdc", what].append(done[f"{what}_x_realtime"])
                speeds["transformers", what].append(seconds / worker.ask(what)["seconds"])
    finally:
        worker.close()
    return {"threads": threads, "seconds": seconds, "kbps": kbps,
            "speeds": [{"name": n, "what": w, "x_realtime": spread(v)} for (n, w), v in speeds.items()]}


def measure(r):
    seconds = r.pick(20, 5)
    bf16, reason = r.has_bf16()
    precisions = ["f32"] + ["bf16"] * bf16
    if not bf16:
        r.say(f"    no row for ecdc in bf16: {reason}")
    result = {"rate": RATE, "kbps": KBPS, "no_bf16": reason, "runs": []}
    for threads in r.threads:
        r.say(f"    {threads} thread{'s' if threads > 1 else ''}, {seconds} s of sound, {r.repeats} rounds")
        result["runs"].append(side_by_side(r, threads, seconds, precisions, PEERS))
    result["stereo_48"] = [stereo_48(r, threads) for threads in r.threads]
    if "refused" in result["stereo_48"][0]:
        r.say(f"    no line for 48 kHz: {result['stereo_48'][0]['refused']}")
    return result
