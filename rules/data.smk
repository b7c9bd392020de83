"""Images from the configured source, and the points whose margins and robustness are measured."""


rule data:
    """Bring one data set from its source into one npz file, with a record of what it is."""
    input:
        code=sources("data"),
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
        source=config["data"]["source"],
        root=config["data"]["root"],
    message:
        "Prepare {wildcards.dataset} from source {params.source}."
    script:
        "../workflow_scripts/data.py"


rule points:
    """Draw the points whose margins are measured, and the test images that are attacked."""
    input:
        data="<results>/data/{dataset}.npz",
        code=sources("points"),
    output:
        margins="<results>/points/{dataset}/margins.npz",
        attack="<results>/points/{dataset}/attack.npz",
    log:
        "<logs>/points/{dataset}.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        train=lambda wildcards: measured(wildcards, "train"),
        test=lambda wildcards: measured(wildcards, "test"),
        attacked=config["attack"]["points"],
        points_seed=config["points"]["seed"],
    message:
        "Draw the evaluated points of {wildcards.dataset}."
    script:
        "../workflow_scripts/points.py"
