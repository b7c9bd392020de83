"""The last checkpoint of every network of table 1 against the strongest of several attacks, none with a floor."""


rule attack_strong:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/attack.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "attacks", "brackets"),
    output:
        "<results>/strong/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/strong/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/strong/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        model="|".join(SAMPLED),
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
            "step": config["attack"]["step"],
            "iterations": config["strong"]["iterations"],
            "steps": config["bracket"]["steps"],
        },
        device=config["device"],
    message:
        "Attack {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}, in three ways."
    script:
        "../workflow_scripts/attack_strong.py"
