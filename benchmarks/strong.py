"""The strongest attack beside AutoAttack (Croce and Hein 2020), in the form that torchattacks has: time and strength.

The network and the images are those of the attack's rows. AutoAttack's standard L2 version: two APGD attacks, FAB and
Square. Both leave out images that are misclassified, and go on with those that still hold.
"""

from lib.strong_attack import withstands
from report.results import MODELS, OFFICIAL

from .attacks import SLACK, TORCHATTACKS, trained
from .timing import OURS, measure, not_installed, peer, rates, row

EPS = {"mlp": 1.0, "cnn": 1.0}  # where some images hold and some do not
POINTS = {"mlp": 100, "cnn": 20}
AUTOATTACK = "AutoAttack"


def compare(model_name, device, scale, seconds, clock):
    """Return the rows for an MLP or CNN trained on digits, in seconds an image."""
    item = f"strong attack, {OFFICIAL['mnist']} {MODELS[model_name]}"
    model, x, y = trained(model_name, device, scale)
    n, eps, held = max(2, int(POINTS[model_name] * scale)), EPS[model_name], {}
    x, y = x[:n], y[:n]
    iterations = max(2, int(1000 * scale))

    def ours():
        kept = withstands(model, x, y, eps=[eps], iterations=iterations, steps=max(2, int(200 * scale)))
        held[OURS] = 100 * kept.double().mean().item()

    def autoattack():
        from torchattacks import AutoAttack

        adversarial = AutoAttack(model, norm="L2", eps=eps, n_classes=10, seed=0)(x, y)
        held[AUTOATTACK] = 100 * (model(adversarial).argmax(1) == y).double().mean().item()

    methods = {OURS: ours} | ({AUTOATTACK: autoattack} if peer(TORCHATTACKS) else {})
    times = measure(methods, min(seconds, 1), clock)  # three runs take minutes
    table = []
    for found, (method, of_method) in zip(
        rates(item, times, dict.fromkeys(methods, n), "1/s"), times.items(), strict=True
    ):
        note = f"robust accuracy {held[method]:.1f} % at eps {eps}, {n} images, in one call"
        if held[OURS] - held[method] > SLACK:
            note += f"; OURS IS WEAKER, its robust accuracy is {held[OURS] - held[method]:.1f} points higher"
        table.append(row(item, method, [s / n for s in of_method], "s an image", ratio=found["ratio"], note=note))
    return table + ([] if AUTOATTACK in methods else [not_installed(item, AUTOATTACK, TORCHATTACKS)])
