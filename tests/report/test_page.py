import re
from html.parser import HTMLParser

import pytest

from report import page as pages
from report.claims import CLAIMS
from report.plots import new_figure
from report.verdicts import judge
from tests.report.reproduced import reproduced
from workflow_scripts.common.drawing import save

RECORD = {"seconds": 3600, "device": "NVIDIA H200", "torch": "2.13.0", "python": "3.11.7"}
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
    figures = [{"name": "fig1", "title": "Figure 1", "caption": "A < B & C.", "svg": figure}]
    seconds = {"training": 3600, "other jobs": 90}
    page = pages.content(tables, context, claims, runs=[RECORD], seconds=seconds, commit="abc1234", figures=figures)
    return page, pages.to_html(page), pages.to_markdown(page)


def words(page):
    return " ".join(" ".join(Reader(page).texts).split())


def test_html_is_well_formed_and_holds_every_claim(small):
    text = words(small[1])
    for key, (statement, rule, _) in CLAIMS.items():
        assert statement in text and rule in text and f"Claim {key}: ? cannot be said at this scale" in text


def test_scale_and_stand_in_stand_before_everything_else(small):
    _, html, markdown = small
    for text in (words(html), markdown):
        assert text.index("CIFAR-10 stand-in: a stand-in") < text.index("Summary")
        assert text.index("Small scale: 16 points") < text.index("Summary") < text.index("The paper's claims")
        for fact in ("NVIDIA H200", "abc1234", "torch 2.13.0", "1 h 1 min", "0123456789ab", "Paper, MLP and CNN"):
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


def test_illegible_cells_are_empty(small):
    tables = dict(small[0]["table1"])
    *_, ours, published, difference = tables["CIFAR-10 stand-in"]["rows"]  # of CNN AMR, the last
    assert ours[0] == "CNN AMR" and published[7:] == difference[7:] == [""] * 7
    assert published[3] == "51,200" and ours[2:].count("") == 1  # nothing is extrapolated


def test_the_same_tables_give_the_same_page(small):
    assert pages.to_html(small[0]) == small[1]


def test_a_page_without_networks(tmp_path):
    tables, context = reproduced(points=20, images=10)
    only = {
        name: table[table["dataset"] == "mnist01"] if "dataset" in table else table for name, table in tables.items()
    }
    context = context._replace(datasets={"mnist01": context.datasets["mnist01"]})
    page = pages.content(only, context, judge(only, context), runs=[], seconds={}, commit="unknown", figures=[])
    text = words(pages.to_html(page))
    assert text.count("Not run.") == 3 and "MNIST, LR, training points: not run" in text
