"""Images from the configured source, and the points whose margins and robustness are measured."""


rule data:
    """Bring one data set from its source into one npz file, with a record of what it is."""
    output:
        npz="<results>/data/{dataset}.npz",
        json="<results>/data/{dataset}.json",
    log:
        "<logs>/data/{dataset}.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        **by_name(images=images),
    message:
        "Prepare {wildcards.dataset}."
    script:
        "../workflow_scripts/data.py"


rule points:
    """Draw the points at which the margins of a network are measured, or the test images on which it is attacked."""
    input:
        data="<results>/data/{dataset}.npz",
        code=sources("points"),
    output:
        points="<results>/points/{dataset}/{model}/{use}.npz",
    log:
        "<logs>/points/{dataset}/{model}/{use}.log",
    wildcard_constraints:
        use="margins|attack",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        **by_name(
            code=resting("points"),
            wanted=lambda wildcards: drawn_points(wildcards, wildcards.use),
            points_seed=config["points"]["seed"],
        ),
    message:
        "Draw the points of {wildcards.dataset} for the {wildcards.use} of {wildcards.model}."
    script:
        "../workflow_scripts/points.py"
