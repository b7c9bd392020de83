"""Draw the margins of logistic regression on 0 and 1 over the epochs as a moving picture, and its last frame."""

from lib.margins import linear_margins
from report import film
from report.results import Context, select
from workflow_scripts.common.checkpoints import epochs_kept, load_model, load_points
from workflow_scripts.common.drawing import save
from workflow_scripts.common.files import whole_file
from workflow_scripts.common.records import read_datasets
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import read


def main(checkpoints, points, svm, provenance, gif, pdf, png, svg, *, differences):
    """Save the picture of one run as `gif` and its last frame as pdf, png and svg.

    The tables have margins of points at few epochs; here they are computed at more, from the weights of each epoch.
    """
    x, y, _ = load_points(points, "mnist01", "train")
    x, kept, margins = x.flatten(1).double(), epochs_kept(checkpoints), {}
    for epoch in film.epochs_shown(max(kept)):
        head = load_model(checkpoints, "mnist01", "lr", epoch).head
        margins[epoch] = linear_margins(head.weight, head.bias, x, y).numpy()
    of_svm = select(read(svm), split="train")["margin"].to_numpy()
    context = Context(read_datasets(provenance), {}, {}, differences)
    with whole_file(gif) as partial:
        partial.write_bytes(film.moving(margins, of_svm, context))
    last = film.still(margins, of_svm, context)
    for path in (pdf, png, svg):
        save(last, path)
    print(f"{len(margins)} epochs, from {min(margins)} to {max(margins)}")


if __name__ == "__main__":
    call(main, snakemake)
