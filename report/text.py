"""Words and numbers as readers see them: titles, remarks on data and scale, minus signs, LaTeX."""

from .results import MODELS, OFFICIAL

NOT_RUN = "—"
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"ε": r"$\varepsilon$", "±": r"$\pm$", "—": "---", "−": "$-$"}
)


def title(context, dataset, model=None):
    """Return what a reader calls `dataset` (a stand-in is called one), with the model's name where given."""
    name = context.datasets.get(dataset, {}).get("title", OFFICIAL[dataset])
    return f"{name}, {MODELS[model]}" if model else name


def remarks(context, datasets):
    """Return what a reader must know, in sentences: data that is not the official one, a reduced scale."""
    known = [(name, context.datasets[name]) for name in datasets if name in context.datasets]
    sentences = [
        f"{data['title']}: {data['origin'].rstrip('.')}."
        for name, data in known
        if data["stand_in"] or data["title"] != OFFICIAL[name]
    ]
    return [*dict.fromkeys(sentences), *([context.differences] if context.differences else [])]


def number(value, form=".2f", empty=""):
    """Return a number in the given format, with a real minus sign; `empty` for NaN and None."""
    return empty if value is None or value != value else f"{value:{form}}".replace("-", "−")
