"""PGD on the last checkpoint of every network of table 1."""


rule attack:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/attack.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "attacks"),
    output:
        "<results>/attack/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/attack/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/attack/{dataset}/{model}/{method}/seed{seed}.tsv"
    conda:
        "../envs/main.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=2000,
    params:
        epoch=lambda wildcards: config["checkpoints"][wildcards.model][-1],
        eps=lambda wildcards: config["attack"]["eps"][wildcards.dataset],
        settings={
            key: config["attack"][key] for key in ("step", "iterations", "loss", "gradient_floor", "averaged_over")
        },
        device=config["device"],
    message:
        "Attack {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/attack.py"
