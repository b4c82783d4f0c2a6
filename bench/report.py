"""Writes the measured part of DOCS/PERFORMANCE.md from the JSON files in RESULTS.

Usage: report.py RESULTS DOCS
For each part the newest run counts, of this machine only. What stands outside the two markers in PERFORMANCE.md is written by
hand and stays as it is.
"""
import json
import sys
from pathlib import Path

BEGIN, END = "<!-- measured: begin, written by bench/run -->", "<!-- measured: end -->"


def newest(results):
    """{part: its result}, each with the `machine`, `started`, `quick` and `repeats` of its run; the machine of the newest run."""
    parts, machine = {}, None
    for path in sorted(results.glob("*.json"), reverse=True):
        found = json.loads(path.read_text())
        machine = machine or found["machine"]
        if all(found["machine"][k] == machine[k] for k in ("cpu", "family_model_stepping", "cores")):
            for name, part in found["parts"].items():
                parts.setdefault(name, {**{k: found[k] for k in ("machine", "started", "quick", "repeats")}, **part})
    return parts, machine


def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def spread(s, unit=""):
    return f"{number(s['median'])}{unit} ({number(s['low'])}–{number(s['high'])})"


def table(head, rows, left=1):
    """The first `left` columns are words, the others figures."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def duration(seconds):
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds:g} s"


def plural(n, noun):
    return f"{n} {noun}" + ("" if n == 1 else "s")


def label(name, precision):
    return f"{name} {precision}" if name != "ecdc command" else f"`ecdc` commands {precision}"


def machine_section(m, parts):
    peaks = parts.get("peers", {}).get("runs", [{}])[0].get("fma_peak", {})
    rows = [("Processor", f"{m['cpu']} (family/model/stepping {m['family_model_stepping']})"
             + (f", virtual ({m['hypervisor']})" if m["hypervisor"] else "")),
            ("Cores", m["cores"]),
            *((k, v) for k, v in m["caches"].items()),
            ("Vector units", ", ".join(m["features"])),
            *((f"FMA peak of one core, {k.removesuffix('_gflops')}, measured in the same run", spread(v, " GFLOP/s")) for k, v in
              peaks.items()),
            ("Memory", f"{m['memory_gb']} GB"), ("Kernel", m["kernel"]), ("Compiler", m["compiler"]),
            ("ecdc", f"{m['ecdc']}, {m['commit']}"),
            ("Peers", ", ".join(f"{k} {v}" for k, v in m["packages"].items()))]
    return table(["Machine", ""], rows, left=2)


def peers_section(p):
    out = [f"24 kHz model of full size with generated weights, {p['kbps']} kbps, the same sound and weights for all, in turn; "
           "× realtime, median (lowest–highest). transformers and ecdc include the quantizer, the exported models have none. "
           "`ecdc` commands: wall time for a long sound minus that for 1 s, files read and written.\n"]
    for run in p["runs"]:
        speeds = {(s["name"], s["precision"], s["what"]): s["x_realtime"] for s in run["speeds"]}
        ratio = {(x["precision"], x["peer"], x["peer_precision"], x["what"]): x["ratio"] for x in run["ratios"]}
        mine = sorted({x["precision"] for x in run["ratios"]}, reverse=True)
        head = [plural(run["threads"], "thread") + f", {duration(run['seconds'])}", "encode", "decode"]
        head += [f"ecdc {q} is faster by: {w}" for q in mine for w in ("encode", "decode")] + ["memory"]
        rows = []
        for name, precision in dict.fromkeys((n, q) for n, q, _ in speeds):
            row = [label(name, precision), *(spread(speeds[name, precision, w]) for w in ("encode", "decode"))]
            row += [spread(ratio[q, name, precision, w]) if (q, name, precision, w) in ratio else "" for q in mine
                    for w in ("encode", "decode")]
            memory = run["peak_mb"].get(f"{name} {precision}")
            rows.append(row + [f"{memory:.0f} MB" if memory else ""])
        out.append(table(head, rows))
        out.append("ecdc's share of the FMA peak: " +
                   ", ".join(f"{k} {100 * v['median']:.0f} %" for k, v in run["share_of_peak"].items()) + ".\n")
    if p["no_bf16"]:
        out.append(f"No row for ecdc in bf16: `{p['no_bf16']}`.\n")
    agreement = p["runs"][0]["agreement"]
    out.append("The codes agree (held against transformers; decoded from the same codes):\n")
    out.append(table(["", "codes equal", "codebook 0", "largest difference of the sound"],
                     [[k, f"{100 * a['equal']:.3f} % of {a['codes']}", f"{100 * a['equal_codebook_0']:.3f} %",
                       f"{a['largest_error']:.1e}"] for k, a in agreement.items()]))
    return "\n".join(out + [stereo_lines(p["stereo_48"])])


def stereo_lines(lines):
    if "refused" in lines[0]:
        return f"48 kHz: not measured, ecdc refuses the model: `{lines[0]['refused']}`.\n"
    rows = []
    for line in lines:
        speeds = {(s["name"], s["what"]): s["x_realtime"] for s in line["speeds"]}
        rows += [[f"{name}, {plural(line['threads'], 'thread')}", spread(speeds[name, "encode"]), spread(speeds[name, "decode"])]
                 for name in ("ecdc", "transformers")]
    return table([f"48 kHz stereo, {lines[0]['kbps']} kbps", "encode", "decode"], rows)


def scaling_section(p):
    rows = [[plural(x["threads"], "thread"), f"{x['kbps']:g} kbps", x["precision"], spread(x["encode"]), spread(x["decode"])]
            for x in p["rows"]]
    return "× realtime (`ecdc bench`).\n\n" + table(["", "", "", "encode", "decode"], rows, left=3)


def precision_section(p):
    if "no_bf16" in p:
        return f"Not on this machine: `{p['no_bf16']}`.\n"
    rows = [[f"{x['kbps']:g} kbps", *(f"{100 * x[k]:.1f} %" for k in ("equal", "equal_first", "equal_last")),
             f"{x['snr_db_f32']:.2f} → {x['snr_db_bf16']:.2f} dB", f"{x['stoi_f32']:.4f} → {x['stoi_bf16']:.4f}"] for x in p["rows"]]
    return (f"`--precision bf16` against f32: `{p['sound']}` ({p['n_frames']} frames), the embedded default model; encoded and decoded in "
            "either.\n\n" + table(["", "codes equal", "first codebook", "last codebook", "SNR", "STOI"], rows))


def length_section(p):
    rows = [[label(x["name"], x["precision"]), duration(x["seconds"]), number(x["encode"]["x_realtime"]),
             f"{x['encode']['peak_mb']:.0f} MB", number(x["decode"]["x_realtime"]), f"{x['decode']['peak_mb']:.0f} MB"]
            for x in p["rows"]]
    return (f"{plural(p['threads'], 'thread')}. ecdc: the whole commands, sound from a pipe, so short sounds show the start-up. The "
            "peers: a process that only encodes or only decodes, its second call.\n\n" +
            table(["", "sound", "encode, × realtime", "peak memory", "decode, × realtime", "peak memory"], rows, left=2))


def latency_section(p):
    rows = [[what, spread(x["p50_ms"], " ms"), spread(x["p99_ms"], " ms"), spread(x["x_realtime"]),
             f"{x['first_after']['median']:.0f}"] for what, x in ((w, p[w]) for w in ("encode", "decode"))]
    return (f"One thread, {p['frames']} frames of 13.3 ms of sound, pushed one at a time.\n\n" +
            table(["", "p50 per frame", "p99 per frame", "× realtime", "first output with frame"], rows))


def streams_section(p):
    rows = [[plural(x["streams"], "stream"), *(number(x[how][f"{what}_x_realtime"]) for what in ("encode", "decode")
                                               for how in ("alone", "group"))] for x in p["rows"]]
    return (f"All streams together, × realtime, a thread for each on {plural(p['cores'], 'core')}; {p['rows'][0]['seconds']:g} s of sound "
            "each. In a group (`ecdc_group`) they share passes over the LSTM's weights.\n\n" +
            table(["", "encode, alone", "encode, group", "decode, alone", "decode, group"], rows))


def startup_section(p):
    rows = [[f"{x['what']}, {x['model']}", spread({k: 1e3 * x["seconds"][k] for k in ("median", "low", "high")}, " ms")]
            for x in p["rows"]]
    return ("One second of sound, one thread, from the start of the command to its end, model in the page cache.\n\n" +
            table(["", "wall time"], rows))


def film_section(p):
    return (f"`ecdc features FILM.mp4 -o FILM.npy`, full-size model, a film of {p['seconds'] / 60:.1f} minutes ({p['trs']} TRs, H.264 and "
            f"AAC, {p['bytes'] / 1e6:.0f} MB) on {plural(p['cores'], 'core')}: **{spread(p['wall_s'], ' s')}**, peak memory "
            f"{p['peak_mb']['high']:.0f} MB. FFmpeg alone takes {number(p['ffmpeg_reading_s'])} s to read and resample its sound.\n")


def fmri_section(p):
    study = p["study"]
    rows = [["zlib alone", spread(p["wall_s"]["zlib"], " s"), "", spread(p["cpu_s"]["zlib"], " s"), ""],
            *([what, spread(p["wall_s"][name], " s"), spread(p["wall_ratio"][name]), spread(p["cpu_s"][name], " s"),
               spread(p["ratio"][name])] for name, what in
              (("series", "`ecdc fmri mask`, `extract`"), ("zscore", "the same with `--zscore`")))]
    return (f"{plural(p['n_subjects'], 'subject')} x {p['n_trs']} TRs, {p['n_voxels']} voxels in the mask, int16, gzip ratio "
            f"{p['gzip_ratio']:.1f}, files in memory. zlib alone, on one thread: what both passes read (the first stops at TR 200), "
            f"decompressed to nothing.\n\n" + table(["", "time", "× zlib", "processor time", "× zlib"], rows) +
            f"\nPeak memory {p['peak_mb']:.0f} MB; the series of one subject is {4e-6 * p['n_trs'] * p['n_voxels']:.0f} MB. A study of "
            f"{study['n_subjects']} such subjects: mask {number(study['mask_s'])} s, all series "
            f"{number(study['series_s'])} s one after the other and {study['series_mb']:.0f} MB; {number(study['cpu_s'])} s of processor "
            f"time.\n")


def profile_section(p):
    out = [f"`ecdc bench --profile`, {plural(p['threads'], 'thread')}; ms per second of sound; FMA peak "
           f"{number(p['fma_peak_gflops'])} GFLOP/s.\n"]
    for part in ("encoder", "decoder"):
        rows = [[x["layer"], x["what"], f"{x['ms_per_s']:.2f}", f"{100 * x['share_of_time']:.1f} %",
                 *([f"{x['gflops']:.0f}", f"{100 * x['share_of_peak']:.0f} %"] if x["gflops"] else ["", ""])] for x in p[part]]
        out.append(table([part, "", "ms", "time", "GFLOP/s", "of peak"], rows, left=2))
    return "\n".join(out)


SECTIONS = [("peers", "Side by side", peers_section), ("scaling", "Threads and bandwidth", scaling_section),
            ("precision", "What bf16 costs", precision_section),
            ("length", "Length", length_section), ("latency", "A live stream", latency_section),
            ("streams", "Many streams", streams_section), ("startup", "Start-up", startup_section), ("film", "A film", film_section),
            ("fmri", "Scans", fmri_section), ("profile", "Layer by layer", profile_section)]


def measured(parts, machine):
    out = [machine_section(machine, parts)]
    if any(name in parts for name in ("length", "scaling")):
        out.append("![Speed and memory against length, threads and bandwidth](performance.svg)\n")
    for name, title, section in SECTIONS:
        if name not in parts:
            out.append(f"## {title}\n\nNot measured on this machine: `bench/run {name}`.\n")
            continue
        p = parts[name]
        note = "**Quick run on short sounds: it shows that the tool works; its figures mean little.** " if p["quick"] else ""
        out.append(f"## {title}\n\n{note}Measured {p['started'][:10]}, {p['machine']['commit']}, {plural(p['repeats'], 'round')}, in "
                   f"{p['took_s']:.0f} s; load before {p['machine']['load_at_start']:.1f}.\n\n{section(p)}")
    return "\n".join(out)


def main():
    results, docs = Path(sys.argv[1]), Path(sys.argv[2])
    parts, machine = newest(results)
    if not parts:
        sys.exit(f"no results in {results}")
    document = docs / "PERFORMANCE.md"
    text = document.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit(f"{document}: the markers {BEGIN} and {END} must each stand there once")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n\n{measured(parts, machine)}\n{END}{after}")


if __name__ == "__main__":
    main()
