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


TABLE1 = {  # what attacked, its place in Snakemake's report, and what it is called there
    "table1": ("attacks", "Tables", "Table 1"),
    "table1_strong": ("strong", "Supplement", "Table 1 under strong attacks"),
}

for table, (kind, category, title) in TABLE1.items():

    rule:
        """Write table 1, as published and in three other forms."""
        name:
            table
        input:
            attacks=parts(kind, attacked()),
            margin_summary=parts("margin_summary", attacked()),
            provenance=expand(rules.data.output.json, dataset=attacked()),
            code=sources("table1"),
        output:
            tex=f"paper_figures/{table}.tex",
            csv=f"paper_figures/{table}.csv",
            md=f"paper_figures/{table}.md",
            html=report(
                f"paper_figures/{table}.html",
                caption=f"../report/captions/{table}.rst",
                category=category,
                labels={"figure": title, "format": "html"},
            ),
        log:
            f"<logs>/figures/{table}.log",
        conda:
            "../envs/main.yaml"
        threads: 1
        resources:
            mem_mb=table_memory(250),
        params:
            **by_name(
                code=content("table1"),
                kind=kind,
                networks=[[*name, *network] for name, network in networks(config).items() if name[1] in NETWORKS],
                other=departures(config, shown_in([kind]), [kind, "margin_summary"]),
                floor=(
                    config["attack"]["gradient_floor"] * config["attack"]["averaged_over"]
                    if kind == "strong"
                    else None
                ),
            ),
        message:
            f"Write {title.lower()}."
        script:
            "../workflow_scripts/table1.py"
