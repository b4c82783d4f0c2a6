"""Draws DOCS/performance.svg from the results that report.py writes about. Usage: plots.py RESULTS DOCS"""
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from common import KBPS  # noqa: E402
from report import newest  # noqa: E402

COLOURS = {"ecdc": "C3", "transformers": "C0", "onnxruntime": "C1", "openvino": "C2"}


def plot_lines(axes, rows, x, value):
    """A line per name and precision; encode solid, decode dashed."""
    for name, precision in dict.fromkeys((r["name"], r["precision"]) for r in rows):
        own = [r for r in rows if (r["name"], r["precision"]) == (name, precision)]
        for what, style in (("encode", "-"), ("decode", "--")):
            axes.plot([r[x] for r in own], [r[what][value] for r in own], style, color=COLOURS[name],
                      marker="o" if precision == "f32" else "s", markersize=3, linewidth=1,
                      label=f"{name} {precision}" if what == "encode" else None)


def plot_scaling(axes, rows, x):
    for precision, marker in (("f32", "o"), ("bf16", "s")):
        own = [r for r in rows if r["precision"] == precision]
        for what, style in (("encode", "-"), ("decode", "--")) if own else ():
            axes.plot([r[x] for r in own], [r[what]["median"] for r in own], style, color="C3", marker=marker, markersize=3,
                      linewidth=1, label=f"{what} {precision}")
    axes.set_ylim(bottom=0)
    axes.set_xticks([r[x] for r in rows], [f"{r[x]:g}" for r in rows])
    axes.legend(fontsize=7)


def plots(parts):
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ecdc", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3})
    figure, ((speed, memory), (threads, bandwidth)) = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
    if "length" in parts:
        rows = parts["length"]["rows"]
        for axes, value, title in ((speed, "x_realtime", "Speed against length, × realtime"),
                                   (memory, "peak_mb", "Peak memory against length, MB")):
            plot_lines(axes, rows, "seconds", value)
            axes.set(title=title, xlabel="seconds of sound (solid: encode, dashed: decode)", xscale="log")
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=7)
    if "scaling" in parts:
        rows = parts["scaling"]["rows"]
        plot_scaling(threads, [r for r in rows if r["kbps"] == KBPS], "threads")
        threads.set(title="ecdc against threads, × realtime", xlabel="threads")
        plot_scaling(bandwidth, sorted((r for r in rows if r["threads"] == 1 and r["precision"] == "f32"), key=lambda r: r["kbps"]), "kbps")
        bandwidth.set(title="ecdc against bandwidth, one thread, × realtime", xlabel="kbps")
    for axes in figure.axes:
        axes.set_visible(axes.has_data())
    return figure


if __name__ == "__main__":
    plots(newest(Path(sys.argv[1]))[0]).savefig(Path(sys.argv[2]) / "performance.svg",
                                                metadata={"Date": None, "Creator": "ecdc bench/plots.py"})
