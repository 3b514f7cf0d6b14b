"""Draws panels of curves side by side into an SVG file. Usage: draw.py FILE <PANELS

PANELS is a JSON list of {"title", "axis", "lines": [{"who", "kind", "points": [[size, least, median, most]]}]}.
The same panels give the same bytes.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot, ticker  # noqa: E402

# Colours that those who see few can tell apart too, on white.
COLOURS, MARKS, STROKES = ["#0072b2", "#d55e00", "#009e73"], ["o", "s", "^"], ["-", "--"]
SETTINGS = {
    "svg.hashsalt": "kustlake",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "white",
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plain(value, _):
    return f"{value:,.10g}"


def panel(axes, title, axis, lines):
    """Returns what the legend shows: the lines of one kind below each other."""
    whos, kinds = (list(dict.fromkeys(line[key] for line in lines)) for key in ("who", "kind"))
    shown = []
    for line in sorted(lines, key=lambda line: kinds.index(line["kind"])):
        who, kind = whos.index(line["who"]), kinds.index(line["kind"])
        # Without points, a line is in the legend only.
        sizes, least, medians, most = zip(*line["points"]) if line["points"] else ((), (), (), ())
        bars = [[a - b for a, b in zip(medians, least)], [a - b for a, b in zip(most, medians)]]
        look = {"color": COLOURS[who], "marker": MARKS[who], "linestyle": STROKES[kind], "markersize": 4, "capsize": 3}
        shown.append(axes.errorbar(sizes, medians, bars, **look, label=f"{line['who']}: {line['kind']}"))
    axes.set(title=title, xlabel=axis, xscale="log", yscale="log")
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_formatter(ticker.FuncFormatter(plain))
        one.set_minor_formatter(ticker.NullFormatter())
    axes.set_axisbelow(True)
    return shown


def main(file):
    panels = json.load(sys.stdin)
    with pyplot.rc_context(SETTINGS):
        figure, places = pyplot.subplots(1, len(panels), figsize=(11, 5.6), sharey=True, layout="constrained")
        for axes, one in zip(places, panels):
            shown = panel(axes, **one)
            axes.tick_params(labelleft=True)
        places[0].set_ylabel("seconds")
        figure.get_layout_engine().set(wspace=0.06)
        figure.legend(handles=shown, loc="outside lower center", ncols=len(STROKES), frameon=False)
        figure.savefig(file, metadata={"Date": None, "Creator": None})


main(*sys.argv[1:])
