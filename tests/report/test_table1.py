import json
import shutil
import subprocess
from itertools import product

import numpy as np
import pandas as pd
import pytest

from report import table1 as tables
from report.settings import Network
from tests.report.tidy import EPS, QUICK, made_up_context, tidy_tables, write_runs


@pytest.fixture(scope="module")
def tidy():
    return tidy_tables(checkpoints=QUICK, points=20, images=40)


def make(tidy, **changed):
    tidy = tidy | changed
    return tables.table1(tidy["attacks"], tidy["margin_summary"], tidy["context"])


def cell(table, dataset, model, method, column):
    wanted = (dataset, model, method, column)
    rows = table[["dataset", "model", "method", "column"]].apply(tuple, axis=1)
    (found,) = table[rows == wanted].itertuples()
    return found


def small(held, seeds=(0,)):
    """MNIST MLP: per method the images that held at eps 0 and 0.5; the average margin is epoch / 10."""
    attacks, summary = [], []
    for method, at_eps in held.items():
        for seed in seeds:
            run = {"dataset": "mnist", "model": "mlp", "method": method, "seed": seed}
            for eps, values in zip([0.0, 0.5], at_eps, strict=True):
                attacks += [run | {"eps": eps, "index": i, "held": held} for i, held in enumerate(values)]
            for epoch, split in [(9, "test"), (20, "test"), (20, "train")]:
                average = (epoch + 2 * seed) / 10 + 5 * (split == "train")
                summary.append(run | {"epoch": epoch, "split": split, "points": 7, "average": average, "distance": 3})
    return {"attacks": pd.DataFrame(attacks), "margin_summary": pd.DataFrame(summary), "context": context_mnist()}


def context_mnist():
    context = made_up_context(official=True)
    return context._replace(datasets={"mnist": context.datasets["mnist"]})


def test_rows_stand_in_the_papers_order(tidy):
    table = make(tidy)
    runs = list(table[["dataset", "model", "method"]].drop_duplicates().itertuples(index=False, name=None))
    assert runs == list(product(["mnist", "cifar10"], ["mlp", "cnn"], ["std", "lcr", "amr"]))
    for dataset, eps in EPS.items():
        columns = table.loc[table["dataset"] == dataset, "column"].unique()
        assert list(columns) == ["clean", *map(str, eps), "average_margin", "average_distance"]
    assert len(table) == 2 * 2 * 3 * 7 and table["value"].notna().all()


def test_values_by_hand():
    table = make(small({"std": ([1, 1, 1, 0], [1, 0, 0, 0])}))
    assert cell(table, "mnist", "mlp", "std", "clean").value == 75.0
    assert cell(table, "mnist", "mlp", "std", "0.5").value == 25.0
    margin = cell(table, "mnist", "mlp", "std", "average_margin")
    assert (margin.value, margin.seeds, margin.points) == (2.0, 1, 7)  # test points at the last epoch, 20
    assert np.isnan(margin.spread)


def test_values_are_those_of_the_tidy_tables(tidy):
    found = cell(make(tidy), "cifar10", "cnn", "amr", "0.3")
    rows = tidy["attacks"].query("dataset == 'cifar10' and model == 'cnn' and method == 'amr' and eps == 0.3")
    assert found.value == pytest.approx(100 * rows["held"].mean())
    assert found.points == 40


def test_seeds_give_mean_and_standard_deviation():
    several = small({"std": ([1, 1, 1, 0], [1, 0, 0, 0])}, seeds=(0, 1, 2))
    table = make(several)
    margin = cell(table, "mnist", "mlp", "std", "average_margin")  # 2.0, 2.2, 2.4
    assert (margin.value, margin.spread, margin.seeds) == pytest.approx((2.2, 0.2, 3))
    assert "| 2.20 ± 0.20 |" in tables.to_markdown(table, several["context"])
    assert "2.20{\\tiny${\\pm}$0.20}" in tables.to_latex(table, several["context"])
    assert "3 seeds" in tables.caption(table, several["context"])
    assert "seeds" not in tables.caption(make(small({"std": ([1], [1])})), several["context"])


def test_the_best_of_a_column_is_bold():
    two = small({"std": ([1, 1, 1, 1], [1, 0, 0, 0]), "amr": ([1, 1, 1, 0], [1, 1, 0, 0])})
    table = make(two)
    markdown = tables.to_markdown(table, two["context"]).splitlines()
    assert "| MLP | Std | **100.00** | 25.00 | **2.00** |" in markdown  # equal margins: both are best
    assert "|  | AMR | 75.00 | **50.00** | **2.00** |" in markdown
    latex = tables.to_latex(table, two["context"])
    assert "MLP & Std & \\textbf{100.00} & 25.00 & \\textbf{2.00} \\\\" in latex
    html = tables.to_html(table, two["context"])
    assert 'font-weight: bold">50.00</td>' in html and 'right">25.00</td>' in html


def test_a_lone_value_is_not_bold():
    one = small({"std": ([1], [1])})
    assert "**" not in tables.to_markdown(make(one), one["context"])


def test_a_missing_run_is_a_dash(tidy):
    keep = "not (dataset == 'cifar10' and model == 'cnn' and method == 'amr')"
    table = make(tidy, attacks=tidy["attacks"].query(keep), margin_summary=tidy["margin_summary"].query(keep))
    missing = cell(table, "cifar10", "cnn", "amr", "0.1")
    assert np.isnan(missing.value) and missing.seeds == 0
    assert "|  | AMR | — | — | — | — | — | — |" in tables.to_markdown(table, tidy["context"])
    assert " & AMR & --- & --- & --- & --- & --- & --- \\\\" in tables.to_latex(table, tidy["context"])
    assert tables.to_html(table, tidy["context"]).count(">—</td>") == 6
    assert "not run" in tables.caption(table, tidy["context"])


def test_the_caption_tells_sizes_stand_in_and_scale(tidy):
    caption = tables.caption(make(tidy), tidy["context"])
    assert "40 test images of CIFAR-10 stand-in" in caption and "20 test points" in caption
    assert "made-up classes" in caption
    official = tables.caption(make(tidy), made_up_context(official=True))
    assert "stand-in" not in official and "not run" not in official


def test_latex_escapes(tidy):
    context = made_up_context()
    context.datasets["mnist"]["title"] = "50% of a_b & ~c^\\{#$"
    latex = tables.to_latex(make(tidy), context)
    assert r"50\% of a\_b \& \textasciitilde{}c\textasciicircum{}\textbackslash{}\{\#\$" in latex
    assert "(both in \\%, " in latex
    assert latex.isascii()


def test_html_escapes_and_needs_nothing_else(tidy):
    context = made_up_context()
    context.datasets["mnist"]["title"] = "<b>&"
    html = tables.to_html(make(tidy), context)
    assert "&lt;b&gt;&amp;" in html and "<b>" not in html
    assert "http" not in html and "<script" not in html


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("options", ["", "[twocolumn]"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("floor", [None, 1e-7])
def test_latex_compiles_within_a_plain_article(tmp_path, seeds, options, floor):
    tidy = tidy_tables(checkpoints=QUICK, points=20, images=40, seeds=seeds)
    keep = "method != 'amr' or dataset == 'mnist'"
    small = dict.fromkeys([("mnist", "mlp"), ("cifar10", "cnn")], Network(16, 20, 20, 32, None, 40, 50, 60))
    tidy["context"] = tidy["context"]._replace(networks=small)
    attacks = tidy["attacks"].query(keep).assign(gradient=1e-9)
    table = tables.table1(attacks, tidy["margin_summary"], tidy["context"], floor)
    document = "\\documentclass%s{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "table.tex").write_text(document % (options, tables.to_latex(table, tidy["context"], floor)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_published_is_the_papers_table():
    paper = tables.published()
    assert list(paper.columns) == ["dataset", "model", "method", "column", "value"]
    assert len(paper) == 11 * 6 and not paper.duplicated(["dataset", "model", "method", "column"]).any()
    assert cell(paper, "mnist", "mlp", "std", "1.0").value == 49.23
    assert cell(paper, "cifar10", "cnn", "lcr", "average_margin").value == 0.26
    assert paper.query("dataset == 'cifar10' and model == 'cnn' and method == 'amr'").empty  # illegible


def test_published_and_ours_share_their_columns(tidy):
    both = make(tidy)
    assert both["published"].notna().sum() == len(tables.published()) + 11  # beside the average distance too
    assert both["published"][both["column"] != "average_distance"].sum() == pytest.approx(
        tables.published()["value"].sum()
    )


def test_strong_attacks_count_the_masked_images():
    two = small({"std": ([1, 1, 1, 0], [1, 0, 0, 0]), "amr": ([1, 1, 1, 1], [1, 1, 1, 0])})
    two["attacks"]["gradient"] = np.where(two["attacks"]["index"] < 3, 1e-13, 0.5)
    table = tables.table1(two["attacks"], two["margin_summary"], two["context"], floor=1e-12)
    masked = cell(table, "mnist", "mlp", "std", "masked")
    assert (masked.value, masked.points) == (75.0, 4)
    markdown = tables.to_markdown(table, two["context"], 1e-12)
    assert "Avg margin | Masked |" in markdown and "| **2.00** | 75.00 |" in markdown  # neither best nor worst
    assert "strongest of three" in markdown and "shorter than the floor 1e-12" in markdown
    assert "\\label{tab:table1-strong}" in tables.to_latex(table, two["context"], 1e-12)
    plain = small({"std": ([1], [1])})
    assert "Masked" not in tables.to_markdown(make(plain), plain["context"])


def test_the_script_writes_four_files(tidy, tmp_path):
    script = pytest.importorskip("workflow_scripts.table1")
    attacks, summary = (write_runs(tidy[name], tmp_path / name) for name in ("attacks", "margin_summary"))
    provenance = []
    for dataset in ("mnist", "cifar10"):
        provenance.append(tmp_path / f"{dataset}.json")
        provenance[-1].write_text(json.dumps(tidy["context"].datasets[dataset]))
    outputs = {kind: tmp_path / f"table1.{kind}" for kind in ("tex", "csv", "md", "html")}
    networks = [["mnist", "mlp", 16, 20, 20, 32, None, 40, 50, 60]]
    script.main(
        attacks, summary, provenance, **outputs, kind="attacks", networks=networks, other="Tau is 6.", floor=None
    )
    written = pd.read_csv(outputs["csv"], dtype={"column": str})
    context = tidy["context"]._replace(networks={("mnist", "mlp"): Network(16, 20, 20, 32, None, 40, 50, 60)})
    pd.testing.assert_frame_equal(written, make(tidy, context=context), check_dtype=False)
    assert all(path.read_text(encoding="utf-8").endswith("\n") for path in outputs.values())
    assert all("Tau is 6." in outputs[kind].read_text(encoding="utf-8") for kind in ("tex", "md", "html"))


def test_networks_below_the_papers_settings_are_marked_and_share_a_mark_where_these_are_the_same(tidy):
    small, whole = Network(16, 20, 20, 32, None, 40, 50, 60), Network(200, 500, 500, 51200, None, 10000, 1000, 1000)
    of = {
        ("mnist", "mlp"): small,
        ("mnist", "cnn"): small._replace(epochs=8, samples=51200, drawn=1024),
        ("cifar10", "mlp"): small,
    }
    context = tidy["context"]._replace(networks=of | {("cifar10", "cnn"): whole})
    table = make(tidy, context=context)
    assert [(d, m, mark[0]) for (d, m), mark in tables.marks(table).items()][:3] == [
        *(("mnist", "mlp", "a"), ("mnist", "cnn", "b"), ("cifar10", "mlp", "a"))
    ]
    markdown = tables.to_markdown(table, context)
    assert "(a) epochs 16, samples a margin 32, images 40, PGD steps 50, test points 20." in markdown
    assert (
        "(b) epochs 8, samples a margin 51,200 extrapolated from 1,024, images" in markdown
        and "| CNN (b) | Std |" in markdown
        and markdown.count("| MLP (a) |") == 2
    )
    row = cell(table, "mnist", "cnn", "std", "0.5")
    assert (row.epochs, row.samples, row.drawn, row.images, row.steps) == (8, 51200, 1024, 40, 50)
    strong = tables.table1(tidy["attacks"].assign(gradient=1.0), tidy["margin_summary"], context, floor=0.0)
    assert cell(strong, "mnist", "cnn", "std", "0.5").steps == 60


@pytest.mark.parametrize("points, marked", [(500, False), (200, True), (10000, True), (0, False)])
def test_another_number_of_test_points_alone_is_marked(tidy, points, marked):
    """0: the average margin was not measured, which the table shows."""
    whole = make(tidy).assign(epochs=200, samples=51200, drawn=None, images=10000, steps=1000, points=points)
    found = tables.marks(whole)
    assert bool(found) == marked and all(f"test points {points:,}" in text for _, text in found.values())


def test_where_networks_have_other_numbers_of_points_the_caption_and_the_marks_say_so(tidy):
    few = tidy["margin_summary"].assign(points=tidy["margin_summary"]["model"].map({"mlp": 20, "cnn": 4}).fillna(20))
    context = tidy["context"]._replace(networks={("mnist", "cnn"): Network(8, 20, 4, 32, None, 40, 50, 60)})
    table = make(tidy, margin_summary=few, context=context)
    text = tables.caption(table, context)
    assert "on 4 to 20 test points" in text and "test points 4." in text and "on 40 test images of MNIST" in text


def test_latex_has_real_minus_signs_and_is_no_wider_than_the_page(tidy):
    negative = tidy["margin_summary"].assign(average=-tidy["margin_summary"]["average"])
    latex = tables.to_latex(make(tidy, margin_summary=negative), tidy["context"])
    cells = [cell for line in latex.splitlines() if line.endswith(" \\\\") for cell in line.split("&")]
    assert any("$-$0." in cell for cell in cells) and not any(" -0." in cell or "{-0." in cell for cell in cells)
    assert latex.index("\\resizebox{\\ifdim\\width>\\linewidth") < latex.index("\\begin{tabular}")
    assert latex.index("\\end{tabular}%\n}\n") < latex.index("\\end{table}")
