"""What a change plans again on a finished run: what it touches and no more, for every key and kind of file."""

import json
import os
import shutil

import numpy as np
import pytest
import yaml

from lib.data.sources import load
from tests.test_sources import DRAWN, MEASURED, TABLES
from tests.workflow import ROOT, copy_project, planned, snakemake
from workflow_scripts.common.checkpoints import epochs_kept

SCHEMA = yaml.safe_load((ROOT / "config.schema.yaml").read_text())
PAGES = {"reproduction"}
TIDY = {"combine"}
CURVES = {"fig3", "fig4"} | TIDY | PAGES
OF_MARGINS = {"fig2", "fig5", "fig6", "fig7", "overview", "bracket", "figS4"} | TABLES | TIDY | PAGES
ATTACKED = {"attack", "figS2", "table1"} | TIDY | PAGES
STRONG = {"attack_strong", "table1_strong"} | TIDY | PAGES
BRACKETS = {"bracket", "figS4"} | TIDY | PAGES
MASKING, CONVERGENCE = {"masking", "figS3"} | TIDY | PAGES, {"convergence", "figS1"} | TIDY | PAGES
SAMPLED = (OF_MARGINS - {"bracket"}) | {"margins", "convergence", "figS1"}
TRAINED = {"train"} | MEASURED - {"svm"} | DRAWN | TABLES | TIDY | PAGES  # DRAWN: with the film, of the first seed
EVERYTHING = TRAINED | {"data", "points", "svm"}
CNN = {"train", "margins", "attack", "attack_strong", "bracket", "masking", "convergence", "fig4", "fig6", "fig7"}
CNN |= {"figS1", "figS2", "figS3", "figS4", "overview"} | TABLES | TIDY | PAGES  # of Std on MNIST
AMR = {"train", "margins", "attack", "attack_strong", "bracket", "fig6", "figS2", "figS4", "overview"}
AMR |= TABLES | TIDY | PAGES
REPEATED = {"margins", "convergence", "figS1", "figS4", "overview"} | TABLES | TIDY | PAGES  # margins of a data set
POINTS = REPEATED | {"points", "margins_linear", "bracket", "fig6", "fig7"}
EDITS = {  # a key, an edit of it on top of tests/tiny.yaml, and the rules that it plans
    "pathvars": ({"pathvars": {"reference": "elsewhere"}}, set()),
    "data.source": ({"data": {"source": "auto", "root": "absent"}}, EVERYTHING),  # other images: real MNIST
    "data.root": ({"data": {"root": "elsewhere"}}, set()),
    "seeds": ({"seeds": [0, 1]}, TRAINED - {"training"}),
    "device": ({"device": "auto"}, set()),
    "threads": ({"threads": {"mlp": 2, "cnn": 1, "lr": 1}}, set()),
    "runs": ({"runs": {"cifar10": {"lr": []}}}, {"fig2", "fig4", "fig5", "overview"} | TABLES | TIDY | PAGES),
    "only": ({"only": {"mnist": {"lr": ["std"]}}}, {"fig4", "fig6", "fig7", "overview", "reproduction"} | TIDY),
    "training.learning_rate": ({"training": {"learning_rate": 0.02}}, TRAINED),
    "training.momentum": ({"training": {"momentum": 0.8}}, TRAINED),
    "training.batch_size": ({"training": {"batch_size": {"cnn": 64}}}, CNN),
    "training.gradient": ({"training": {"gradient": "all"}}, TRAINED),
    "training.dropout": ({"training": {"dropout": 0.5}}, CNN),
    "training.epochs": ({"training": {"epochs": {"cnn": 2}}, "checkpoints": {"cnn": [1, 2]}}, CNN),
    "objective.lambda": ({"objective": {"lambda": 0.2}}, AMR | {"margins_linear"}),
    "objective.beta": ({"objective": {"beta": 0.002}}, AMR | {"margins_linear"}),
    "objective.tau": ({"objective": {"tau": {"mnist": {"mlp": 6}}}}, AMR),
    "objective.orthogonality": ({"objective": {"orthogonality": "retraction"}}, TRAINED),
    "objective.precision": ({"objective": {"precision": "bfloat16"}}, AMR),
    "objective.layers": ({"objective": {"layers": "linear"}}, PAGES),  # tests/tiny.yaml has no CNN by LCR or AMR
    "points.train": ({"points": {"train": 5}}, POINTS | {"fig2", "fig5"}),
    "points.test": ({"points": {"test": 5}}, POINTS | {"fig2", "fig5"}),
    "points.seed": ({"points": {"seed": 1}}, EVERYTHING - {"data", "train", "fig3", "fig4"}),
    "points.whole": ({"points": {"whole": ["mnist01", "mnist"]}}, POINTS),
    "checkpoints": ({"checkpoints": {"mlp": [2]}}, OF_MARGINS),
    "margins.radius": ({"margins": {"radius": 4}}, SAMPLED),
    "margins.samples": ({"margins": {"samples": {"mnist": 5}}}, REPEATED | {"fig6", "fig7"}),
    "margins.drawn": (
        {"margins": {"drawn": {"cifar10": 21}}},
        (REPEATED - {"convergence", "figS1"}) | {"fig2", "fig5"},
    ),
    "margins.precision": ({"margins": {"precision": "float32"}}, SAMPLED),
    "margins.followed": ({"margins": {"followed": ["std"]}}, OF_MARGINS - {"fig2", "fig5", "fig7"}),
    "margins.seed": ({"margins": {"seed": 1}}, SAMPLED),
    "attack.eps": ({"attack": {"eps": {"mnist": [0.5, 1.5]}}}, ATTACKED | STRONG | MASKING),
    "attack.points": ({"attack": {"points": 9}}, {"points"} | ATTACKED | STRONG | MASKING),
    "attack.step": ({"attack": {"step": 0.02}}, ATTACKED | STRONG | MASKING),
    "attack.iterations": ({"attack": {"iterations": 4}}, ATTACKED | MASKING | {"table1_strong"}),
    "attack.loss": ({"attack": {"loss": "margin"}}, ATTACKED),
    "attack.gradient_floor": ({"attack": {"gradient_floor": 1e-6}}, ATTACKED | {"table1_strong"}),
    "attack.averaged_over": ({"attack": {"averaged_over": 2}}, ATTACKED | {"table1_strong"}),
    "attack.start": ({"attack": {"start": "ball"}}, ATTACKED | MASKING),
    "attack.seed": ({"attack": {"seed": 1}}, PAGES),  # of starts that no one draws
    "bracket.steps": ({"bracket": {"steps": 3}}, BRACKETS | STRONG),
    "strong.iterations": ({"strong": {"iterations": 4}}, STRONG | {"table1"}),
    "masking.points": ({"masking": {"points": 3}}, MASKING),
    "masking.floors": ({"masking": {"floors": [0.0, 1.0e-5]}}, MASKING),
    "masking.factors": ({"masking": {"factors": [1, 9]}}, MASKING),
    "convergence.points": ({"convergence": {"points": 2}}, CONVERGENCE),
    "convergence.drawn": ({"convergence": {"drawn": {"cifar10": 21}}}, CONVERGENCE),
}
SAME = {  # another way to write the same
    "5 for 5.0": {"margins": {"radius": 5}, "objective": {"tau": {"mnist": {"mlp": 5.0}}}},
    "2 for 2.0": {"attack": {"eps": {"mnist": [0.5, 2]}}},
    "the order of keys": {"masking": {"factors": [1, 10], "points": 4, "floors": [0, 1.0e-6]}},
}


def keys():
    for name, of in SCHEMA["properties"].items():
        inner = of.get("properties") if name != "pathvars" else None
        yield from (f"{name}.{key}" for key in inner) if inner else (name,)


def test_every_key_has_an_edit():
    assert set(EDITS) == set(keys())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("reruns"))
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    snakemake(folder, "--configfile", "tiny.yaml", "--cores", "2")
    return folder


def plan(project, change):
    """The rules that a dry run plans with a change on top of tests/tiny.yaml."""
    (project / "change.yaml").write_text(yaml.safe_dump(change, sort_keys=False))
    output = snakemake(project, "-n", "--cores", "2", "--configfile", "tiny.yaml", "change.yaml")
    return set(planned(output)) - {"all"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("key", EDITS)
def test_a_key_plans_what_it_touches(project, key):
    change, expected = EDITS[key]
    assert plan(project, change) == expected


@pytest.mark.slow
@pytest.mark.parametrize("way", SAME)
def test_another_way_to_write_the_same_plans_nothing(project, way):
    assert plan(project, SAME[way]) == set()


@pytest.mark.slow
def test_two_values_that_change_places_plan_both(project):
    swapped = {"strong": {"iterations": 2}, "bracket": {"steps": 3}}
    assert plan(project, swapped) == STRONG | BRACKETS | {"table1"}


@pytest.mark.slow
def test_changed_code_that_looks_old_is_noticed(project):
    """As files of a release that is unpacked over another one look."""
    path = project / "lib/svm.py"
    text, before = path.read_text(), path.stat()
    path.write_text(text + "\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    try:
        assert plan(project, {"seeds": [0]}) == {"svm", "fig1", "training"} | PAGES
    finally:
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.slow
def test_an_epoch_that_was_not_kept_trains_again_and_fewer_do_not(tmp_path):
    folder = copy_project(tmp_path)
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    target = "results/train/mnist/mlp/std/seed0/checkpoints.safetensors"

    def run(epochs, *options):
        (folder / "kept.yaml").write_text(yaml.safe_dump({"checkpoints": {"mlp": epochs}}))
        output = snakemake(folder, *options, "--cores", "1", "--configfile", "tiny.yaml", "kept.yaml", "--", target)
        return set(planned(output))

    run([2])
    assert run([1, 2], "-n") == {"train"}
    run([1, 2])
    assert epochs_kept(folder / target) == [1, 2]
    assert run([2], "-n") == run([1, 2], "-n") == set()


TOUCHED = [
    *("config.yaml", "Snakefile", "rules/train.smk", "lib/training.py", "workflow_scripts/train.py"),
    *("report/plots.py", "report/templates/choices.j2", "results/data/mnist.npz"),
    "results/points/mnist/mlp/margins.npz",
    "results/train/mnist/mlp/std/seed0/checkpoints.safetensors",
]


@pytest.mark.slow
@pytest.mark.parametrize("path", TOUCHED)
def test_a_touch_plans_nothing(project, path):
    """As `git checkout OLD && git checkout -` touches files."""
    before = (project / path).stat()
    os.utime(project / path)
    try:
        assert plan(project, {"seeds": [0]}) == set()
    finally:
        os.utime(project / path, ns=(before.st_atime_ns, before.st_mtime_ns))


LINEAR = {"only": {"mnist01": {"lr": ["std"]}}, "data": {"source": "npz", "root": "images"}}
TARGET = (
    "--cores",
    "1",
    "--configfile",
    "tiny.yaml",
    "linear.yaml",
    "--",
    "results/margins/mnist01/lr/std/seed0/points.csv",
)


@pytest.fixture
def linear(tmp_path):
    """A finished run on images of the user's own, and those images."""
    folder, digits = copy_project(tmp_path), load("mnist", source="embedded")
    arrays = {key: getattr(digits, key) for key in ("x_train", "y_train", "x_test", "y_test")}
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    (folder / "linear.yaml").write_text(yaml.safe_dump(LINEAR))
    (folder / "images").mkdir()
    np.savez(folder / "images/mnist.npz", **arrays)
    snakemake(folder, *TARGET)
    return folder, arrays


@pytest.mark.slow
def test_replaced_images_are_noticed_and_moved_ones_change_nothing(linear):
    folder, arrays = linear
    again = lambda: set(planned(snakemake(folder, "-n", *TARGET)))  # noqa: E731
    assert again() == set()
    os.utime(folder / "images/mnist.npz")
    assert again() == set()
    np.savez_compressed(folder / "images/mnist.npz", **arrays)  # the same images in other bytes
    assert again() == set()
    shutil.move(folder / "images", folder / "moved")
    assert again() == set()  # no longer needed
    (folder / "linear.yaml").write_text(yaml.safe_dump(LINEAR | {"data": {"source": "auto", "root": "moved"}}))
    assert again() == set()
    np.savez(folder / "moved/mnist.npz", **arrays | {"y_train": arrays["y_train"][::-1]})
    assert again() == {"data", "points", "train", "margins_linear"}
    shutil.move(folder / "results/data", folder / "before")  # as a data job that failed leaves it
    assert again() == {"data", "points", "train", "margins_linear"}
    shutil.move(folder / "before", folder / "results/data")
    before = json.loads((folder / "results/data/mnist01.json").read_text())["sha256"]
    snakemake(folder, *TARGET)
    assert json.loads((folder / "results/data/mnist01.json").read_text())["sha256"] != before
    assert again() == set()


@pytest.mark.slow
def test_an_edit_of_how_images_are_read_counts_where_they_come_out_different(linear):
    folder, _ = linear
    again = lambda: set(planned(snakemake(folder, "-n", *TARGET)))  # noqa: E731
    reading, drawing = folder / "lib/data/npz.py", folder / "workflow_scripts/points.py"
    reading.write_text(reading.read_text() + "\n")
    assert again() == set()  # the images came out the same
    drawing.write_text(drawing.read_text() + "\n")
    assert again() == {"points", "margins_linear"}
    as_negatives = "\nplain = read\n\n\ndef read(*given):\n    arrays, *rest = plain(*given)\n"
    reading.write_text(f"{reading.read_text()}{as_negatives}    return (255 - arrays[0], *arrays[1:]), *rest\n")
    assert again() == {"data", "points", "train", "margins_linear"}
