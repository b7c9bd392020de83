"""The reproduction page, and the folders of reference results that are committed."""


rule reproduction:
    input:
        **{
            {"margin_summary": "summary"}.get(table, table): expand(
                rules.combine.output[0], dataset=configured(config["runs"], [table]), table=table
            )
            for table in TABLES
            if table != "masking"
        },
        svm=rules.svm.output if runs(["mnist01"]) else [],
        provenance=expand(rules.data.output.json, dataset=[name for name in config["runs"] if runs([name])]),
        runs=each(rules.train.output.run, runs()),
        figures=expand("paper_figures/fig{n}.svg", n=drawn()),
        captions=expand(project_file("report/fig{n}.rst"), n=drawn()),
        templates=[
            project_file(f"lib/templates/{name}.j2")
            for name in ("reproduction.html", "reproduction.md", "style.css", "choices")
        ],
        published=project_file("lib/published.csv"),
        code=sources("claims", "intervals", "verdicts", "comparison", "pages", "plots", "tables"),
    output:
        html=report(
            "paper_figures/reproduction.html",
            caption="../report/reproduction.rst",
            category="Reproduction",
            labels={"figure": "Reproduction page", "format": "html"},
        ),
        md="paper_figures/reproduction.md",
    log:
        "<logs>/report/reproduction.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(250),
    params:
        settings=config,
        scale=scale(),
        commit=commit(),
    message:
        "Write the reproduction page."
    script:
        "../workflow_scripts/reproduction.py"


rule reference:
    input:
        tables=[
            *expand("<results>/{table}.csv", table=[table for table in TABLES if held_by(table, config["runs"])]),
            *(expand("paper_figures/{table}.csv", table=["table1", "table1_strong"]) if attacked() else []),
        ],
        pages=[
            *expand("paper_figures/reproduction.{kind}", kind=["html", "md"]),
            *expand("paper_figures/fig{n}.png", n=drawn()),
            *(
                expand("paper_figures/{table}.{kind}", table=["table1", "table1_strong"], kind=["md", "tex"])
                if attacked()
                else []
            ),
        ],
        runs=each(rules.train.output.run, runs()),
        provenance=rules.reproduction.input.provenance,
    output:
        about="<reference>/run.json",
    log:
        "<logs>/report/reference.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        settings=config,
        commit=commit(),
    message:
        "Gather the results in {output.about}'s folder."
    script:
        "../workflow_scripts/reference.py"


rule reference_table:
    input:
        parts=gathered("table1.csv"),
        margins=gathered("margins.csv.gz", beside="table1.csv"),
        code=sources("plots", "tables"),
        published=project_file("lib/published.csv"),
    output:
        csv="reference_results/table1.csv",
        md="reference_results/table1.md",
        tex="reference_results/table1.tex",
    log:
        "<logs>/report/reference_table.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Join the parts of reference_results in one table."
    script:
        "../workflow_scripts/reference_table.py"


rule reference_figure:
    input:
        summaries=gathered("margin_summary.csv"),
        margins=gathered("margins.csv.gz", beside="margin_summary.csv"),
        code=sources("plots", "tables"),
    output:
        "reference_results/margins.png",
    log:
        "<logs>/report/reference_figure.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Draw the margins of all parts of reference_results."
    script:
        "../workflow_scripts/reference_figure.py"
