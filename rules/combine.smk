"""Many small tables into few tidy ones: first for each data set, which is what figures need, then for all."""


rule combine:
    """Make one tidy table of all runs on a data set."""
    input:
        parts=parts,
        code=sources("combine"),
    output:
        combined="<results>/combined/{dataset}/{table}.csv",
    log:
        "<logs>/combine/{dataset}/{table}.log",
    wildcard_constraints:
        table="|".join(TABLES),
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(60),
    message:
        "Combine the {wildcards.table} of {wildcards.dataset}."
    script:
        "../workflow_scripts/combine.py"


rule gather:
    """Make one tidy table of all data sets."""
    input:
        parts=lambda wildcards: expand(
            rules.combine.output.combined,
            dataset=configured(config["runs"], [wildcards.table]),
            allow_missing=True,
        ),
        code=sources("gather"),
    output:
        gathered="<results>/{table}.csv",
    log:
        "<logs>/gather/{table}.log",
    wildcard_constraints:
        table="|".join(TABLES),
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=table_memory(110),
    message:
        "Gather the {wildcards.table} of all data sets."
    script:
        "../workflow_scripts/gather.py"
