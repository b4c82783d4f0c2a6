"""ecdc alone: threads and bandwidth, length, latency, start-up, the film, layers; and the peers' memory against length."""
import struct
import wave

from common import ECDC, KBPS, RATE, TOOLS, Failed, ecdc, run, spread
from peers import Worker


def scaling(r):
    """Speed against threads in every precision, and against bandwidth on one thread; ecdc bench, in turn."""
    seconds = r.pick(20, 3)
    threads = sorted({n for n in (1, 2, 4, 8, 16, 32, 64, r.cores) if n <= r.cores})
    rows = [{"threads": n, "kbps": KBPS, "precision": q} for q in ("f32", "bf16")[:1 + r.has_bf16()[0]] for n in threads]
    rows += [{"threads": 1, "kbps": b, "precision": "f32"} for b in (1.5, 6, 12, 24)]
    for row in rows:
        row.update(encode=[], decode=[])
    for i in range(r.repeats):
        for row in rows:
            done = ecdc("bench", "-m", r.model, "-b", row["kbps"], "--threads", row["threads"], "--precision", row["precision"],
                        "--seconds", seconds, "--repeats", 1, "--json").json
            row["encode"].append(done["encode_x_realtime"])
            row["decode"].append(done["decode_x_realtime"])
        r.say(f"    round {i + 1} of {r.repeats}")
    for row in rows:
        row.update(encode=spread(row["encode"]), decode=spread(row["decode"]))
    return {"seconds": seconds, "rows": rows}


def wav_stream(r, seconds):
    """A WAV of any length in pieces: the recording, again and again."""
    with wave.open(str(r.sound(11))) as w:
        piece = w.readframes(w.getnframes())
    size = 2 * RATE * seconds
    yield struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size)
    while size > 0:
        yield piece[:size]
        size -= len(piece)


def ecdc_at_length(r, precision, seconds, threads):
    codes = r.work / "length.npy"
    how = ("-q", "-f", "-m", r.model, "--threads", threads, "--precision", precision)
    encode = ecdc("encode", "-", "-o", codes, "-b", KBPS, *how, feed=wav_stream(r, seconds))
    decode = ecdc("decode", codes, "-o", "/dev/null", "--format", "wav", *how)
    codes.unlink()
    return {"name": "ecdc", "precision": precision, "seconds": seconds,
            "encode": {"x_realtime": seconds / encode.wall_s, "peak_mb": encode.peak_mb},
            "decode": {"x_realtime": seconds / decode.wall_s, "peak_mb": decode.peak_mb}}


def peer_at_length(r, peer, precision, seconds, threads):
    """Memory of a process that has only encoded, and of another that has only decoded."""
    row = {"name": peer, "precision": precision, "seconds": seconds}
    for what in ("encode", "decode"):
        worker = Worker(r, peer, threads, precision, r.sound(seconds), seconds)
        try:
            worker.ask("load")
            worker.ask(what)
            took = worker.ask(what)["seconds"]
            row[what] = {"x_realtime": seconds / took, "peak_mb": worker.ask("memory")["peak_mb"]}
        finally:
            worker.close()
    return row


def length(r):
    """Speed and peak memory against length: ecdc's commands from a pipe, whole; the peers without what they load before."""
    threads = r.threads[-1]
    rows = []
    lengths = r.pick([1, 10, 60, 600, 3600, 36000], [1, 10, 60])
    for precision, some in ("f32", lengths), ("bf16", lengths[:5] if r.has_bf16()[0] else []):
        for seconds in some:
            rows.append(ecdc_at_length(r, precision, seconds, threads))
            r.say(f"    ecdc {precision}, {seconds} s: {rows[-1]['encode']['x_realtime']:.1f} x realtime, "
                  f"{rows[-1]['encode']['peak_mb']:.0f} MB")
    for seconds in r.pick([10, 20, 60, 120], [2, 5]):
        # what the decoders decode
        worker = Worker(r, "transformers", threads, "f32", r.sound(seconds), seconds)
        worker.ask("reference")
        worker.close()
        for peer, precision in (("transformers", "f32"), ("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16")):
            try:
                rows.append(peer_at_length(r, peer, precision, seconds, threads))
                r.say(f"    {peer} {precision}, {seconds} s: {rows[-1]['encode']['x_realtime']:.1f} x realtime, "
                      f"{rows[-1]['encode']['peak_mb']:.0f} MB")
            except Failed as e:
                r.say(f"    {peer} {precision}, {seconds} s: {e}")
    return {"threads": threads, "rows": rows}


def latency(r):
    """Frames one by one through the public interface, on one thread (build/bench/latency)."""
    done = [run(TOOLS / "latency", r.model, 1, r.pick(60, 3)).json for _ in range(r.repeats)]
    return {"frames": done[0]["frames"],
            **{what: {k: spread([d[what][k] for d in done]) for k in done[0][what]} for what in ("encode", "decode")}}


def streams(r):
    """Many streams at once, one thread each, alone and as a group (build/bench/streams)."""
    return {"cores": r.cores, "rows": [run(TOOLS / "streams", r.model, n, r.pick(20, 3), r.repeats).json
                                       for n in sorted({1, r.cores, 4 * r.cores})]}


def startup(r):
    """The command on one second of sound, its model in the page cache."""
    sound = r.sound(1)
    cases = {}
    for title, model in (("full size, safetensors", r.model), ("embedded default", "default")):
        codes = r.work / f"startup-{len(cases)}.npy"
        cases["encode", title] = ("encode", sound, "-o", codes, "-m", model)
        cases["decode", title] = ("decode", codes, "-o", r.work / "startup.wav", "-m", model)
    times = {key: [] for key in cases}
    repeats = r.pick(21, 5)
    for i in range(-1, repeats):
        for key, args in cases.items():
            wall_s = ecdc(*args, "-q", "-f", "--threads", 1).wall_s
            if i >= 0:
                times[key].append(wall_s)
    return {"repeats": repeats, "rows": [{"what": what, "model": title, "seconds": spread(v)} for (what, title), v in times.items()]}


def make_film(r, seconds):
    """H.264 and AAC in MP4: a test picture, the recording again and again. Made once."""
    folder = r.cache / "media"
    folder.mkdir(exist_ok=True)
    film = folder / f"film-{seconds:g}s.mp4"
    if not film.exists():
        r.say(f"    making a film of {seconds / 60:.1f} minutes, once")
        unfinished = folder / "unfinished.mp4"
        run("ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25", "-stream_loop", "-1",
            "-i", ECDC.parents[1] / "audio" / "jfk.flac", "-t", seconds, "-map", "0:v", "-map", "1:a", "-c:v", "libx264",
            "-preset", "ultrafast", "-c:a", "aac", "-b:a", "128k", "-ac", 2, "-ar", 48000, unfinished)
        unfinished.rename(film)
    return film


def film(r):
    """ecdc features on a film of 1976 TRs, as a user runs it: every processor, nothing left out."""
    trs = r.pick(1976, 40)
    path = make_film(r, 1.5 * trs)
    times, memory, repeats = [], [], min(r.repeats, 3)
    for _ in range(repeats):
        done = ecdc("features", path, "-o", r.work / "film.npy", "-f", "-m", r.model, "-b", KBPS, "--json")
        times.append(done.wall_s)
        memory.append(done.peak_mb)
    reading = run("ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vn", "-ac", 1, "-ar", RATE, "-f", "null", "-").wall_s
    shown = {k: v for k, v in done.json.items() if isinstance(v, (int, float))}
    return {"repeats": repeats, "trs": trs, "seconds": 1.5 * trs, "bytes": path.stat().st_size, "cores": r.cores, "wall_s": spread(times),
            "peak_mb": spread(memory), "ffmpeg_reading_s": reading, "json": shown}


def profile(r):
    """Layer by layer, one thread."""
    done = r.bench("--threads", 1, "--seconds", r.pick(20, 3), "--profile", repeats=r.repeats)
    return {"threads": 1, "fma_peak_gflops": done["fma_peak_gflops"], **done["profile"]}
