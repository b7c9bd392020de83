"""Many small tables into few tidy ones, for people; figures read what they show from the small ones."""


rule combine:
    """Make one tidy table of all runs."""
    input:
        parts=lambda wildcards: parts(wildcards.table, config["runs"]),
        code=sources("combine"),
    output:
        tidy="<results>/{table}.csv",
    log:
        "<logs>/combine/{table}.log",
    wildcard_constraints:
        table="|".join(TABLES),
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(110),
    params:
        **by_name(code=content("combine")),
    message:
        "Combine the {wildcards.table} of all runs."
    script:
        "../workflow_scripts/combine.py"
