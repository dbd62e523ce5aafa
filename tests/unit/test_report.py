"""The report: deterministic, self-contained, complete, and quiet about what is missing."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lungsynth.report import anatomy, charts, contact, dag, figures, plot
from lungsynth.report.blocks import card_words, number, table_of
from lungsynth.report.data import Card, Copies, Counted, Distribution, Pictures, ReportData, Training
from lungsynth.report.page import distribution_chart, loss_charts, page
from tests.unit.report_data import a_report, watched


class Elements(HTMLParser):
    """Tags with their attributes, and whether every opened tag is closed."""

    VOID = frozenset(["meta", "link", "img", "input", "br", "hr"])

    def __init__(self, text: str):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


@pytest.fixture(scope="module")
def full() -> str:
    return page(a_report())


def test_the_same_data_give_the_same_page(full):
    assert page(a_report()) == full


def test_the_page_is_one_file_that_asks_for_nothing(full):
    assert "default-src 'none'" in full
    for tag, attributes in Elements(full).found:
        for name in ("src", "href", "data", "action"):
            address = attributes.get(name) or ""
            assert address.startswith(("data:", "#")) or not address, (tag, address[:60])
    assert not re.search(r"@import|url\((?!data:)", full)


def test_every_tag_is_closed_and_every_picture_has_words(full):
    elements = Elements(full)
    assert elements.open == []
    pictures = [attributes for tag, attributes in elements.found if tag == "img"]
    assert len(pictures) > 20 and all(one.get("alt") for one in pictures)
    assert all(a.get("aria-label") or a.get("aria-hidden") for tag, a in elements.found if tag == "svg")


def test_the_page_says_what_stands_in_the_data(full):
    for words in (
        "Synthetic images",
        "Lesions moved",
        "stop 60",
        "KS ",
        "phantom-019",
        "render_shard",
        "3f1c9a0d7b",
        "26129728",
    ):
        assert words in full, words
    for anchor in ("valid", "alike", "copies", "training", "left-out", "workflow"):
        assert f'id="{anchor}"' in full


def test_text_from_files_cannot_become_markup():
    reason = "<script>alert(1)</script>"
    data = ReportData("x", 1, quarantine=pd.DataFrame({"scan": ["a"], "reason": [reason]}), edges=[("a<b", "c")])
    assert reason not in page(data) and "a&lt;b" in page(data)


def test_an_empty_study_names_what_is_missing_in_a_line_each():
    text = page(ReportData("empty", 1))
    assert Elements(text).open == []
    for words in ("No key numbers", "No slices", "No nodules", "No scores", "No loss curves", "No list of rules"):
        assert words in text


def test_sets_without_images_are_left_out():
    none = Pictures(np.zeros((0, 8, 8), np.int16), 1.0)
    text = page(ReportData("x", 1, sheet={"real": none}, nodules={"real": none}, distributions=[]))
    assert "<figure>" not in text


def test_a_distribution_with_an_empty_side_is_left_out():
    one = Distribution("Diameter", "mm", np.array([]), {"generated": np.array([1.0])})
    assert "No measures" in page(ReportData("x", 1, distributions=[one]))


def test_a_card_shows_its_interval_and_a_verdict_in_words_not_in_colour_alone():
    words = card_words(Card("Lesions moved", 11.3, "%", 8.1, 15, "361 lesions", "≤ 10 %", "bad"))
    assert words == {"value": "11.3", "unit": "%", "spread": "8.1 to 15 %", "verdict": "missed"}
    assert card_words(Card("x", None))["value"] == "–"
    assert card_words(Card("x", 1.0, "mm", np.nan, np.nan))["spread"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.51, "−0.51"), (1234.0, "1234"), (40000, "40000"), (0.04812, "0.0481"), (None, "–"), (np.nan, "–")],
)
def test_numbers_read_as_a_person_writes_them(value, text):
    assert number(value) == text


def charts_of(text: str) -> list[str]:
    return re.findall(r'<svg class="chart".*?</svg>', text, re.DOTALL)


@plot.as_svg
def a_line(words="words"):
    figure = plot.canvas(110, 60)
    axes = plot.frame(figure, 5, 5, 100, 50)
    axes.set(xlim=(0, 10), ylim=(0, 1), xlabel="Mean Lung area, $HU$")
    axes.plot([0, 10], [0, 1], color=plot.COLOURS["real"], gid=plot.tip(words))
    return figure, "a <line>"


class TestCharts:
    """matplotlib's SVG as the page takes it."""

    def test_values_lie_where_they_belong(self):
        assert re.search(r'd="M 5 55 ?L 105 5', a_line())

    def test_colours_are_the_pages_variables_and_none_is_a_colour_of_its_own(self, full):
        drawn = "".join(charts_of(full))
        painted = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", drawn))
        assert painted <= {"none", *(f"var(--{name})" for name in plot.COLOURS)} and len(painted) > 5
        assert not re.search(r"#[0-9a-f]{6}\b", drawn)

    def test_every_theme_has_every_colour_that_charts_use(self, full):
        used = set(re.findall(r"var\(--(\w+)\)", "".join(charts_of(full))))
        themes = re.findall(r"\{([^{}]*--ink:[^{}]*)\}", plot.STYLE.read_text("utf-8"))
        assert len(themes) == 3 and len(used) > 5
        assert all(used <= set(re.findall(r"--(\w+):", theme)) for theme in themes)

    def test_text_stays_text_as_it_was_written(self):
        assert ">Mean Lung area, $HU$</text>" in a_line() and "font-family" not in a_line()

    def test_words_under_the_mouse_and_the_name_are_escaped(self):
        assert "<title>a &amp; b &lt;</title>" in a_line("a & b <") and 'aria-label="a &lt;line&gt;"' in a_line()

    def test_a_persons_own_style_changes_nothing(self, monkeypatch):
        import matplotlib

        before = a_line()
        monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 9)
        assert a_line() == before and matplotlib.rcParams["lines.linewidth"] == 9

    def test_a_chart_needs_no_part_of_another(self, full):
        for drawn in charts_of(full):
            assert "url(" not in drawn
            assert set(re.findall(r'href="#(\w+)"', drawn)) == set(re.findall(r' id="(\w+)"', drawn))


def test_ticks_that_lie_close_are_told_apart():
    axes = plot.frame(plot.canvas(200, 100), 5, 5, 100, 50)
    assert axes.yaxis.get_major_formatter().format_ticks([186.0, 186.5, 187.0]) == ["186", "186.5", "187"]
    assert axes.yaxis.get_major_formatter().format_ticks([0.0, 0.5, 1.0]) == ["0", "0.5", "1"]


def test_losses_carry_the_monitors_lines_and_their_words():
    training = Training("g", "dcgan", {"generator": np.linspace(3, 1, 80)}, e0=20, stop=60, verdict="stable")
    text = charts.losses(training)
    assert "e0 20" in text and "stop 60" in text and "diverged" not in text and "fill: var(--refined)" in text


def test_the_fitted_lines_stand_in_the_caption_and_the_slopes_in_a_chart_of_their_own():
    first, second = loss_charts(ReportData("x", 1, trainings=[watched()]))
    assert first.caption.endswith(
        "Lines: generator −0.01000x + 5.00000 (0 to 119), 0.00200x + 4.30000 (40 to 90); "
        "critic 0.00020x − 0.25000 (0 to 119), −0.00010x + 0.50000 (40 to 90)."
    )
    assert "<title>0.00200x + 4.30000 (40 to 90)</title>" in first.svg
    assert second.title == "g: slopes" and second.legend[-1] == ("generated", "generator, from e0", "at last 0.00200")
    assert second.svg.count("var(--panel)") == 1  # the inset


@pytest.mark.parametrize("short", [watched(99), replace(watched(), monitored=()), replace(watched(), slopes=None)])
def test_a_short_run_or_one_that_is_not_watched_has_no_fitted_lines(short):
    (only,) = loss_charts(ReportData("x", 1, trainings=[short]))
    assert "Lines" not in only.caption


def test_slopes_before_any_window_are_those_from_the_first_point():
    early = watched()
    empty = early.slopes.assign(e0=np.nan, slope_g=np.nan, intercept_g=np.nan, slope_d=np.nan, intercept_d=np.nan)
    early = replace(early, slopes=empty, e0=None, stop=None)
    assert [css for css, _, _ in charts.slope_legend(early)] == ["other dashed"]
    assert "<svg" in charts.slopes(early)


def test_losses_that_are_not_numbers_break_nothing():
    assert "<svg" in charts.losses(Training("g", "x", {"loss": np.array([1.0, np.nan, np.inf, 2.0])}))
    assert "<svg" in charts.losses(Training("g", "x", {"loss": np.full(3, np.nan)}))


def test_a_legend_has_the_distances_as_they_were_scored_and_none_that_were_not():
    values = np.arange(20.0)
    one = Distribution("x", "mm", values, {"generated": values, "fit bank": values}, {"generated": (0.123, 4.56)})
    words = [entry[2] for entry in distribution_chart(one).legend]
    assert words == ["n 20", "n 20, KS 0.12, W\N{NO-BREAK SPACE}4.6\N{NO-BREAK SPACE}mm", "n 20"]


def test_the_map_of_anatomy_has_a_cell_a_measure_and_set_and_the_words_say_what_is_in_it(full):
    drawn = anatomy.share_map(a_report().anatomy)
    assert drawn.count("<title>") == drawn.count(" of 100") == 6 * 3  # nothing was released
    assert "generated, body width: .60 of 100; median 320, range 288 to 352 mm" in drawn
    words = anatomy.words(a_report().anatomy)
    assert "generated .60, selected .62, composite .65, refined .78, released –" in words
    assert "the floor, .80 without a nodule and .75 with one" in words and words in full


def test_a_bar_is_cut_in_the_parts_shares():
    parts = [("a", 3, True), ("none", 0, False), ("b", 1, False)]
    text = page(ReportData("x", 1, gates=[Counted("x", parts)]))
    cut = re.findall(r'<i class="(\w+)[^"]*" style="flex-grow: (\d+)" title="([^"]*)"', text)
    assert cut == [("kept", "3", "a: 3"), ("lost", "1", "b: 1")]


@pytest.mark.parametrize(
    ("name", "css"),
    [("real", "real"), ("generated, all", "generated"), ("normals_test", "generated"), ("fit", "other")],
)
def test_a_sets_colour_follows_its_name(name, css):
    assert charts.css_of(name) == css


class TestPictures:
    def disc(self) -> np.ndarray:
        rows, columns = np.mgrid[:64, :64]
        return ((rows - 20) ** 2 + (columns - 40) ** 2 <= 25).astype(np.uint8)

    def test_an_outline_surrounds_its_pixels(self):
        points = np.array(
            [list(map(float, p.split(","))) for p in re.findall(r"[-\d.]+,[-\d.]+", figures.outlines(self.disc()))]
        )
        assert points[:, 0].min() == pytest.approx(35, abs=0.01) and points[:, 0].max() == pytest.approx(46, abs=0.01)
        assert points[:, 1].min() == pytest.approx(15, abs=0.01) and points[:, 1].max() == pytest.approx(26, abs=0.01)

    def test_every_lesion_has_its_own_outline(self):
        mask = np.zeros((9, 9), np.uint8)
        mask[2:5, 2:4], mask[2:5, 4:6] = 1, 2  # they touch
        assert figures.outlines(mask).count("Z") == 2 and figures.outlines(np.zeros((5, 5), np.uint8)) == ""

    def test_the_scale_bar_has_its_length_in_mm(self):
        x = re.search(r"M([\d.]+),[\d.]+V[\d.]+H([\d.]+)", figures.scale_bar(160, 160, 2.0, 50, 7))
        assert float(x[2]) - float(x[1]) == pytest.approx(25)

    @given(st.integers(0, 63), st.integers(0, 63), st.floats(0.5, 3))
    def test_an_inset_holds_the_lesion_and_lies_inside_the_image(self, row, column, mm_per_px):
        mask = np.zeros((64, 64), np.uint8)
        mask[row, column] = 1
        top, left, side = figures.zoom_box(mask, mm_per_px)
        assert 0 <= top <= row < top + side <= 64 and 0 <= left <= column < left + side <= 64

    def test_an_inset_never_hides_its_lesion_or_the_scale_bar(self):
        for row in (5, 20, 40, 60):
            for column in (5, 30, 60):
                corner = figures.free_corner(row, column, (64, 64))
                assert corner != "bl"
                assert (corner[0] == "b") == (row < 32)

    def test_change_is_orange_where_brighter_and_blue_where_darker(self):
        before = np.zeros((16, 16), np.int16)
        after = before.copy()
        after[:8], after[8:] = 200, -200
        src = figures.change_view(before, after, 1.0, "x", size=16).src
        import base64

        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))).convert("RGB")).astype(int)
        assert picture[3, 8, 0] > picture[3, 8, 2] and picture[12, 8, 2] > picture[12, 8, 0]

    def test_the_story_is_a_png_with_the_same_bytes_twice(self):
        sheet = a_report().sheet
        png = contact.story_sheet(sheet, columns=2, side=120)
        assert png == contact.story_sheet(sheet, columns=2, side=120)
        assert Image.open(io.BytesIO(png)).size == (2 * 128 + 8, 4 * 154 + 8)

    def test_the_border_that_is_cut_off_holds_no_nodule(self):
        masks = np.zeros((2, 32, 32), np.uint8)
        masks[0, 10:20, 12:18] = 1
        border = contact.empty_border([Pictures(np.zeros((2, 32, 32), np.int16), 1.0, masks)])
        assert border == 8 and masks[:, border:-border, border:-border].sum() == masks.sum()


class TestDag:
    EDGES = (*((f"a{i}", f"b{j}") for i in range(4) for j in range(5)), ("b0", "c"), ("a0", "d"), ("d", "c"))
    LONG = (
        ("a", "long_name_of_a_rule"),
        ("long_name_of_a_rule", "c"),
        ("c", "d"),
        ("a", "side"),
        ("side", "d"),
        ("a", "x"),
        ("x", "e"),
        ("d", "e"),
    )

    def test_an_edge_that_a_longer_path_says_is_not_drawn(self):
        assert list(dag.reduced([("a", "b"), ("b", "c"), ("a", "c"), ("a", "a")]).edges) == [("a", "b"), ("b", "c")]

    def test_rules_lie_below_what_they_read(self):
        drawn = {box.rule: box for box in dag.rule_graph(self.EDGES, {}).boxes}
        assert all(drawn[start].y + dag.BOX < drawn[end].y for start, end in self.EDGES) and len(drawn) == 11

    def test_a_circle_is_an_error_that_names_the_rules(self):
        with pytest.raises(ValueError, match="in a circle: a, b"):
            dag.rule_graph([("a", "b"), ("b", "a")], {})

    def test_no_two_boxes_overlap_and_all_lie_in_the_picture(self):
        drawn = dag.rule_graph(self.EDGES, {})
        for box in drawn.boxes:
            assert box.width / 2 <= box.x <= drawn.width - box.width / 2 and 14 <= box.y <= drawn.height - 14
            beside = [other for other in drawn.boxes if other.y == box.y and other.x > box.x]
            assert all(other.x - other.width / 2 >= box.x + box.width / 2 for other in beside)

    def test_every_line_leads_from_its_rule_to_the_one_below(self):
        drawn = dag.rule_graph([("above", "below")], {})
        (x, y), *_, last = [tuple(map(float, p.split(","))) for p in re.findall(r"[-\d.]+,[-\d.]+", drawn.lines[0])]
        above, below = drawn.boxes
        assert (x, last[0]) == pytest.approx((above.x, below.x), abs=0.1)
        assert y == pytest.approx(above.y + 14, abs=1) and last[1] == pytest.approx(below.y - 14, abs=1)

    def test_a_long_line_passes_between_the_boxes_of_the_rows_it_crosses(self):
        drawn = dag.rule_graph(self.LONG, {})
        for line in drawn.lines:
            points = [tuple(map(float, p.split(","))) for p in re.findall(r"[-\d.]+,[-\d.]+", line)]
            ends = {
                min(drawn.boxes, key=lambda box, at=at: abs(box.x - at[0]) + abs(box.y - at[1]))
                for at in (points[0], points[-1])
            }
            for x, y in points[1:-1]:
                for box in set(drawn.boxes) - ends:
                    assert abs(x - box.x) > box.width / 2 or abs(y - box.y) >= dag.BOX / 2

    def test_the_order_of_the_edges_changes_nothing(self):
        assert dag.rule_graph(self.EDGES, {}) == dag.rule_graph(self.EDGES[::-1], {})

    def test_stages_come_in_the_order_in_which_data_flow(self):
        stages = {"x": "cohort", "a": "banks", "b": "score"}
        assert dag.rule_graph([("x", "a"), ("a", "b")], stages).stages == ["cohort", "banks", "score"]


def test_a_table_shows_blank_for_what_is_not_known():
    table = table_of(pd.DataFrame({"n_set": [3, 4], "value": [0.12345, np.nan], "note": ["x", None]}))
    assert table.columns == ["n set", "value", "note"]
    assert table.rows == [["3", "0.123", "x"], ["4", "", ""]] and table.numeric == [True, True, False]


def test_copies_under_the_bound_are_counted():
    copies = Copies("nodules", np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.9, 1.5, 2.0]), bound=0.5)
    assert "1 of 4 selected nodules lie under the bound of 0.5." in page(ReportData("x", 1, copies=[copies]))
