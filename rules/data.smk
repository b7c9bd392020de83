"""Images from the configured source, and the points whose margins and robustness are measured."""


rule data:
    input:
        code=sources("data", "embedded", "vision"),
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
    input:
        data="<results>/data/{dataset}.npz",
        code=sources("data"),
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
        attack=config["attack"]["points"],
        seed=config["points"]["seed"],
    message:
        "Draw the evaluated points of {wildcards.dataset}."
    script:
        "../workflow_scripts/points.py"
