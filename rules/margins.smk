"""Margins of the evaluated points: exact for linear models, sampled for the others, one job a checkpoint."""


rule margins_linear:
    input:
        checkpoints="<results>/train/{dataset}/lr/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/margins.npz",
        code=sources("checkpoints", "data", "margins"),
    output:
        epochs=expand(
            "<results>/margins/{{dataset}}/lr/{{method}}/seed{{seed}}/epoch{epoch}.csv",
            epoch=config["checkpoints"]["lr"],
        ),
        summary="<results>/margins/{dataset}/lr/{method}/seed{seed}/summary.csv",
    log:
        "<logs>/margins/{dataset}/lr/{method}/seed{seed}.log",
    benchmark:
        "<logs>/margins/{dataset}/lr/{method}/seed{seed}.tsv"
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        epochs=config["checkpoints"]["lr"],
    message:
        "Compute the exact margins of lr on {wildcards.dataset} with {wildcards.method} at every epoch."
    script:
        "../workflow_scripts/margins_linear.py"


rule margins:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/margins.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "margins"),
    output:
        margins="<results>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.csv",
    log:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.log",
    benchmark:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.tsv"
    wildcard_constraints:
        model="|".join(SAMPLED),
    conda:
        "../envs/main.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=2000,
    params:
        radius=config["margins"]["radius"],
        samples=config["margins"]["samples"],
        seed=config["margins"]["seed"],
        device=config["device"],
    message:
        "Sample the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method} at epoch {wildcards.epoch}."
    script:
        "../workflow_scripts/margins.py"
