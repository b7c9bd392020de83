import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from report import page as pages
from report.claims import CLAIMS
from report.plots import new_figure
from report.results import COLUMNS
from report.verdicts import judge
from tests.report.reproduced import reproduced
from workflow_scripts.common.drawing import save

RECORD = {"seconds": 3600, "device": "NVIDIA H200", "torch": "2.13.0", "python": "3.11.7"}
RECORD |= {"commit": "5678fed", "measured": "9abcdef"}
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Checks that tags close in order, and keeps texts and links."""

    def __init__(self, page):
        super().__init__()
        self.open, self.links, self.texts = [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The page of a small scale with a stand-in: its content, as HTML, as Markdown."""
    figure = tmp_path_factory.mktemp("figures") / "fig1.svg"
    save(new_figure(1), figure)
    tables, context = reproduced(official=False, points=20, images=40)
    strong = tables["strong"]
    tables["strong"] = strong.assign(held=strong["held"].where(strong["eps"] < 2, 0))  # much stronger at eps 2
    claims = judge(tables, context)
    figures = [{"name": "fig1", "title": "Figure 1", "caption": "A < B & C.", "picture": figure}]
    figures[0] |= {"still": None, "file": "fig1.png"}
    seconds = {"training": 3600, "other jobs": 90}
    page = pages.content(tables, context, claims, runs=[RECORD], seconds=seconds, commit="abc1234", figures=figures)
    return page, pages.to_html(page), pages.to_markdown(page)


def words(page):
    return " ".join(" ".join(Reader(page).texts).split())


def test_html_is_well_formed_and_holds_every_claim(small):
    text = words(small[1])
    for key, (statement, reading, rule, _) in CLAIMS.items():
        assert statement in text and reading in text and rule in text
        assert f"Claim {key}: ? cannot be said at this scale" in text


def test_scale_and_stand_in_stand_before_everything_else(small):
    _, html, markdown = small
    for text in (words(html), markdown):
        assert text.index("CIFAR-10 stand-in: a stand-in") < text.index("Summary")
        assert text.index("Small scale: 16 points") < text.index("Summary") < text.index("The paper's claims")
        for fact in (
            "NVIDIA H200",
            "abc1234; networks trained at 5678fed; networks measured at 9abcdef",
            "torch 2.13.0",
            "1 h 1 min",
            "0123456789ab",
            "Paper, MLP and CNN",
        ):
            assert text.index(fact) < text.index("Summary"), fact


def test_html_needs_no_other_file(small):
    _, html, _ = small
    links = Reader(html).links
    assert {link for link in links if not link.startswith("data:")} == {pages.ADDRESS}
    assert "url(" not in html and "<script" not in html and "@import" not in html
    assert sum(link.startswith("data:image/svg+xml;base64,") for link in links) == 1


def test_texts_are_escaped(small):
    assert "A &lt; B &amp; C." in small[1] and "A < B & C." in small[2]


def test_markdown_gives_the_same_verdicts(small):
    page, html, markdown = small
    for claim in page["claims"]:
        badge = f"{claim['badge']['symbol']} {claim['badge']['text']}"
        assert f"### Claim {claim['key']}: {badge}" in markdown and f"<h3>Claim {claim['key']}: {badge}</h3>" in html
        assert claim["decisive"] in markdown and claim["decisive"] in words(html)
    assert page["summary"] in markdown and page["summary"] in words(html)
    assert "![Figure 1](fig1.png)" in markdown


def test_markdown_tables_are_rectangular(small):
    for block in re.findall(r"(?:^\|.*\n)+", small[2], re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_an_overstatement_is_said_in_words(small):
    sentences = small[0]["overstated"]
    assert sentences and all("ε = 2 " in sentence for sentence in sentences)
    cells = [
        cell for _, table in small[0]["readings"] for row in table["rows"] for cell in row if row[1] == "strongest"
    ]
    assert "0.00" in cells and sentences[0] in words(small[1])
    assert {row[2] for _, table in small[0]["readings"] for row in table["rows"][::3]} == {"40"}  # images


def test_illegible_cells_are_empty():
    tables, context = reproduced(points=20, images=40)
    page = pages.content(tables, context, judge(tables, context), runs=[], seconds={}, commit="", figures=[])
    *_, ours, published, difference = dict(page["table1"])["CIFAR-10"]["rows"]  # of CNN AMR, the last
    assert ours[0] == "CNN AMR" and published[7:] == difference[7:] == [""] * 7
    assert published[3] == "51,200" and ours[2:].count("") == 1  # nothing is extrapolated


def test_a_stand_in_has_nothing_published_beside_it(small):
    tables = dict(small[0]["table1"])
    assert {row[1] for row in tables["CIFAR-10 stand-in"]["rows"]} == {"ours"}
    assert {row[1] for row in tables["MNIST (5,000 digits)"]["rows"]} == {"ours", "published", "difference"}


def test_each_network_has_a_cell_for_each_claim_that_speaks_of_it(small):
    matrix = small[0]["matrix"]
    assert matrix["header"][:2] == ["MNIST 0/1 (subset), LR", "MNIST (5,000 digits), LR"] and len(matrix["header"]) == 7
    cells = {row["key"]: row["cells"] for row in matrix["rows"]}
    assert [bool(cell) for cell in cells["1"]] == [True] + [False] * 6
    assert [bool(cell) for cell in cells["7b"]] == [False, False, True, True, False, True, True]
    told = {row["key"]: row["cells"][2] for row in matrix["rows"]}["6b"]  # 40 images
    assert told["badge"]["kind"] == "open" and told["seen"]["text"] == "open here" and " to " in told["interval"]


def test_networks_stand_in_the_papers_order_whatever_the_configs():
    tables, context = reproduced(points=20, images=10)
    context = context._replace(networks=dict(reversed(context.networks.items())))
    page = pages.content(tables, context, judge(tables, context), runs=[], seconds={}, commit="", figures=[])
    names = [row[0] for row in page["networks"]["rows"]]
    assert names[:4] == ["MNIST 0/1, LR", "MNIST, LR", "MNIST, MLP", "MNIST, CNN"] and len(names) == 9


def test_readings_of_a_claim_stand_side_by_side(small):
    page, html, markdown = small
    readings = {claim["key"]: (claim["readings"], claim["reading"]) for claim in page["claims"]}
    assert readings["4a"] == (2, "margins with signs") and readings["4b"] == (0, "distances, without signs")
    assert html.count('rowspan="2"') == 4 and "4a: margins with signs" in words(html)
    assert "| **4b** average falls; distances, without signs |" in markdown


def test_one_seed_is_said_to_be_one():
    tables, context = reproduced(points=120, images=400)
    page = pages.content(tables, context, judge(tables, context), runs=[], seconds={}, commit="", figures=[])
    held = [claim["badge"]["text"] for claim in page["claims"] if claim["badge"]["kind"] == "holds"]
    assert held and set(held) == {"holds for this training run"} and "There is one seed" in page["summary"]


def test_the_same_tables_give_the_same_page(small):
    assert pages.to_html(small[0]) == small[1]


def test_a_page_without_networks(tmp_path):
    tables, context = reproduced(points=20, images=10)
    only = {
        name: table[table["dataset"] == "mnist01"] if "dataset" in table else table for name, table in tables.items()
    }
    context = context._replace(datasets={"mnist01": context.datasets["mnist01"]})
    only["brackets"] = pd.DataFrame(columns=COLUMNS["brackets"])  # as the workflow has it
    page = pages.content(only, context, judge(only, context), runs=[], seconds={}, commit="unknown", figures=[])
    text = words(pages.to_html(page))
    assert text.count("Not run.") == 3 and "MNIST, LR, training points: not run" in text


def test_what_is_wider_than_a_phone_scrolls_in_its_frame_and_shows_it(small):
    html = small[1]
    inside = re.sub(r'<table class="claims">.*?</table>', "", html, flags=re.DOTALL)  # stacked where it is narrow
    framed = re.findall(r'<div class="scroll"[^>]*>\s*<(table|img)', inside)
    assert len(framed) == inside.count("<table") + inside.count("<img") and {"table", "img"} == set(framed)
    assert (
        "background-attachment: local, local, scroll, scroll" in html
    )  # the shadow at an edge beyond which there is more
    assert 'class="narrow note"' in html and ".narrow { display: none; }" in html


def test_a_moving_picture_is_shown_as_one_and_printed_as_its_still(small, tmp_path):
    film, still = tmp_path / "training.gif", tmp_path / "training.png"
    film.write_bytes(b"GIF89a")
    still.write_bytes(b"\x89PNG")
    figure = {"name": "training", "title": "Training", "caption": "", "picture": film, "still": still}
    page = small[0] | {"figures": [figure | {"file": "training.gif"}]}
    html = pages.to_html(page)
    assert '<img class="moving" src="data:image/gif;base64,R0lGODlh' in html and "(training.gif)" in pages.to_markdown(
        page
    )
    assert '<img class="still" src="data:image/png;base64,iVBORw==' in html and ".still { display: none; }" in html
