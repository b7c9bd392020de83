"""Figures 1 to 7, those of the supplement, and table 1 in two readings, each from the tidy tables that it shows."""

for number, figure in [(number, figure) for number, figure in FIGURES.items() if number != "training"]:

    rule:
        """Draw one figure."""
        name:
            file_of(number)
        input:
            **{table: parts(table, figure.datasets, figure.methods) for table in figure.tables},
            **({"svm": [rules.svm.output.table]} if number == "1" else {}),
            provenance=expand(rules.data.output.json, dataset=holding(figure.datasets, figure.tables)),
            code=sources("figures", f"report/{module_of(number)}.py"),
        output:
            pdf=f"paper_figures/{file_of(number)}.pdf",
            png=report(
                f"paper_figures/{file_of(number)}.png",
                caption=f"../report/captions/{file_of(number)}.rst",
                category=module_of(number).capitalize(),
                labels={"figure": "Overview" if number == "overview" else f"Figure {number}", "format": "png"},
            ),
            svg=f"paper_figures/{file_of(number)}.svg",
        log:
            f"<logs>/figures/{file_of(number)}.log",
        conda:
            "../envs/main.yaml"
        threads: 1
        resources:
            mem_mb=table_memory(250),
        params:
            **by_name(
                code=content("figures", f"report/{module_of(number)}.py"),
                module=module_of(number),
                figure=number,
                differences=differences_of(figure.tables, figure.datasets, figure.methods, figure.without),
                steps=(
                    {"/".join(name): sizes.steps for name, sizes in networks(config).items() if name[1] in NETWORKS}
                    if number == "S2"
                    else None
                ),
            ),
        message:
            f"Draw figure {number}."
        script:
            "../workflow_scripts/figures.py"


rule training:
    """Draw how the margins move during training, as an animation and a still."""
    input:
        checkpoints=f"<results>/train/mnist01/lr/std/seed{config['seeds'][0]}/checkpoints.safetensors",
        points="<results>/points/mnist01/lr/margins.npz",
        svm=rules.svm.output.table,
        provenance=expand(rules.data.output.json, dataset=["mnist01"]),
        code=sources("training"),
    output:
        gif=report(
            "paper_figures/training.gif",
            caption="../report/captions/training.rst",
            category="Figures",
            labels={"figure": "The margins during training", "format": "gif"},
        ),
        pdf="paper_figures/training.pdf",
        png="paper_figures/training.png",
        svg="paper_figures/training.svg",
    log:
        "<logs>/figures/training.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **by_name(
            code=content("training"),
            differences=differences_of(FIGURES["training"].tables, ["mnist01"], STD, FIGURES["training"].without),
        ),
    message:
        "Draw the moving picture of training."
    script:
        "../workflow_scripts/training.py"


rule table1:
    """Write table 1, as published and in three other forms."""
    input:
        attacks=parts("attacks", attacked()),
        margin_summary=parts("margin_summary", attacked()),
        provenance=expand(rules.data.output.json, dataset=attacked()),
        code=sources("table1"),
    output:
        tex="paper_figures/table1.tex",
        csv="paper_figures/table1.csv",
        md="paper_figures/table1.md",
        html=report(
            "paper_figures/table1.html",
            caption="../report/captions/table1.rst",
            category="Tables",
            labels={"figure": "Table 1", "format": "html"},
        ),
    log:
        "<logs>/figures/table1.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(250),
    params:
        **by_name(
            code=content("table1"),
            kind="attacks",
            networks=[[*name, *network] for name, network in networks(config).items() if name[1] in NETWORKS],
            other=departures(config, shown_in(["attacks"]), ["attacks", "margin_summary"]),
            floor=None,
        ),
    message:
        "Write table 1."
    script:
        "../workflow_scripts/table1.py"


rule table1_strong:
    """Write table 1 under the strongest attacks."""
    input:
        attacks=parts("strong", attacked()),
        margin_summary=parts("margin_summary", attacked()),
        provenance=expand(rules.data.output.json, dataset=attacked()),
        code=sources("table1"),
    output:
        tex="paper_figures/table1_strong.tex",
        csv="paper_figures/table1_strong.csv",
        md="paper_figures/table1_strong.md",
        html=report(
            "paper_figures/table1_strong.html",
            caption="../report/captions/table1_strong.rst",
            category="Supplement",
            labels={"figure": "Table 1 under strong attacks", "format": "html"},
        ),
    log:
        "<logs>/figures/table1_strong.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(250),
    params:
        **by_name(
            code=content("table1"),
            kind="strong",
            networks=[[*name, *network] for name, network in networks(config).items() if name[1] in NETWORKS],
            other=departures(config, shown_in(["strong"]), ["strong", "margin_summary"]),
            floor=config["attack"]["gradient_floor"] * config["attack"]["averaged_over"],
        ),
    message:
        "Write table 1 under strong attacks."
    script:
        "../workflow_scripts/table1.py"
