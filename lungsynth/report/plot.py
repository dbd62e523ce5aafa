"""How charts are drawn: matplotlib's SVG in the page's colours, so that a chart follows the page's theme.

Text stays text in the page's font, places are in px, and the same chart gives the same bytes on every machine.
"""

import io
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import markupsafe
import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, MaxNLocator

from lungsynth.report.blocks import number

P = ParamSpec("P")
STYLE = Path(__file__).parent / "templates" / "style.css"
COLOURS = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", STYLE.read_text("utf-8").partition("}")[0]))
"""The page's colours by name, as its light theme has them; in a chart each stands for the variable of that name."""
SETTINGS = {
    "svg.fonttype": "none",
    "figure.dpi": 72,
    "figure.frameon": False,
    "axes.edgecolor": COLOURS["other"],
    "axes.linewidth": 1,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": COLOURS["soft"],
    "axes.labelsize": 12,
    "axes.titlelocation": "left",
    "axes.titlesize": 12.5,
    "axes.titlecolor": COLOURS["ink"],
    "axes.xmargin": 0,
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 1,
    "lines.linewidth": 2,
    "text.color": COLOURS["soft"],
    "text.parse_math": False,
    "xtick.color": COLOURS["soft"],
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.color": COLOURS["soft"],
    "ytick.major.size": 0,
    "ytick.major.pad": 7,
}
# What an SVG by itself needs and one in a page does not: names of parts, clipping, the font, the size, digits.
NEEDLESS = [
    (r"<defs>\s*(<clipPath.*?</clipPath>|<style.*?</style>)\s*</defs>", ""),
    (r'<g id="tip:([^"]*)">', r"<g><title>\1</title>"),
    (r' id="(?!m[0-9a-f]{10}")[^"]*"| clip-path="[^"]*"| transform="rotate\(-0 [^"]*"', ""),
    (r"font-family: [^;\"]*;? ?", ""),
    (r"(\.\d\d)\d+(?=[^<>]*>)", r"\1"),  # of places; words keep theirs
    (r"\n\s*|<g/>", ""),
]


def as_svg(paint: Callable[P, tuple[Figure, str]]) -> Callable[P, markupsafe.Markup]:
    """Make a function that paints a figure, and says in words what it shows, return the figure as an <svg> element.

    A person's own matplotlib style is left out. What is tagged with `tip` shows its words under the mouse.
    """

    @wraps(paint)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> markupsafe.Markup:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(SETTINGS)
            figure, alt = paint(*args, **kwargs)
            matplotlib.rcParams["svg.hashsalt"] = alt
            return markupsafe.Markup(_svg(figure, alt))

    return drawn


def _svg(figure: Figure, alt: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue().partition("<svg")[2].partition(">")[2]
    for pattern, instead in NEEDLESS:
        text = re.sub(pattern, instead, text, flags=re.DOTALL)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    width, height = figure.get_size_inches() * figure.dpi
    words = markupsafe.escape(alt)
    return f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}">{text.strip()}'


def canvas(width: float, height: float) -> Figure:
    """An empty figure of that size in px."""
    figure = Figure(figsize=(width / 72, height / 72))
    FigureCanvasSVG(figure)
    return figure


def frame(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in px from the figure's upper left corner, with few round ticks, written as people do."""
    across, down = figure.get_size_inches() * 72
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.patch.set_visible(False)
    for axis, most in ((axes.xaxis, 5), (axes.yaxis, 4)):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(_Ticks())
    return axes


class _Ticks(Formatter):
    """Numbers as people write them, with as many digits as tell the ticks of an axis apart."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        return number(value)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        written = [[number(value, digits) for value in values] for digits in range(3, 9)]
        return next((words for words in written if len(set(words)) == len(set(values))), written[-1])


def tip(words: str) -> str:
    """The group id by which `as_svg` knows an artist's words."""
    return f"tip:{words}"
