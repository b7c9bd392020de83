"""The reproduction page, and the folders of reference results that are committed."""


rule reproduction:
    """Write the reproduction page: verdicts, tables and figures in one file."""
    input:
        **{table: parts(table, config["runs"]) for table in TABLES if table != "masking"},
        svm=[rules.svm.output.table] if runs(["mnist01"]) else [],
        provenance=expand(rules.data.output.json, dataset=[name for name in config["runs"] if runs([name])]),
        records=paths_of(rules.train.output.record, runs()),
        figures=[f"paper_figures/{file_of(n)}.{'gif' if n == 'training' else 'svg'}" for n in drawn()],
        captions=[project_file(f"report/captions/{file_of(number)}.rst") for number in drawn()],
        code=sources("reproduction"),
    output:
        html=report(
            "paper_figures/reproduction.html",
            caption="../report/captions/reproduction.rst",
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
        **by_name(
            code=content("reproduction", *(f"report/captions/{file_of(number)}.rst" for number in drawn())),
            settings=told(config),
            differences=differences_of(TABLES),
            logs=folder_of(config, "logs"),
        ),
    message:
        "Write the reproduction page."
    script:
        "../workflow_scripts/reproduction.py"


rule reference:
    """Gather what a run produced in a folder small enough to commit."""
    input:
        tables=[
            *expand(
                "<results>/{table}.csv", table=[table for table in TABLES if runs_in_table(table, config["runs"])]
            ),
            *(expand("paper_figures/{table}.csv", table=["table1", "table1_strong"]) if attacked() else []),
        ],
        svm=rules.reproduction.input.svm,
        pages=[
            *expand("paper_figures/reproduction.{kind}", kind=["html", "md"]),
            *expand("paper_figures/{figure}.png", figure=map(file_of, drawn())),
            *(["paper_figures/training.gif"] if "training" in drawn() else []),
            *(
                expand("paper_figures/{table}.{kind}", table=["table1", "table1_strong"], kind=["md", "tex"])
                if attacked()
                else []
            ),
        ],
        records=paths_of(rules.train.output.record, runs()),
        provenance=rules.reproduction.input.provenance,
        checkpoints=paths_of(
            rules.train.output.checkpoints,
            [run for run in runs(["mnist01", "mnist"]) if not are_elsewhere(PUT_BACK.get(str(run)))],
        ),
        code=sources("reference"),
    output:
        record="<reference>/run.json",
    log:
        "<logs>/report/reference.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        **by_name(
            code=content("reference"),
            settings=told(config),
            logs=folder_of(config, "logs"),
        ),
    message:
        "Gather the results in {output.record}'s folder."
    script:
        "../workflow_scripts/reference.py"
