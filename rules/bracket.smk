"""Distances that an attack found from each evaluated point: what the estimated margins must not exceed."""


rule bracket:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/margins.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "attacks", "brackets"),
    output:
        "<results>/bracket/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/bracket/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/bracket/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        model="|".join(SAMPLED),
    conda:
        "../envs/main.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=2000,
    params:
        epochs=lambda wildcards: measured_epochs(wildcards.model, wildcards.method),
        steps=config["bracket"]["steps"],
        device=config["device"],
    message:
        "Bracket the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/bracket.py"
