"""The reproduction page: scale, verdicts on the paper's claims, ours beside the published, every figure."""


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
        mem_mb=1000,
    params:
        settings=config,
        scale=scale(),
        commit=commit(),
    message:
        "Write the reproduction page."
    script:
        "../workflow_scripts/reproduction.py"
