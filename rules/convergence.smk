"""How the estimated margins depend on the number of samples."""


rule convergence:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/margins.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "margins"),
    output:
        "<results>/convergence/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/convergence/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/convergence/{dataset}/{model}/{method}/seed{seed}.tsv"
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
        points=config["convergence"]["points"],
        margins=config["margins"],
        seed=config["points"]["seed"],
        device=config["device"],
    message:
        "Follow the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method} over growing samples."
    script:
        "../workflow_scripts/convergence.py"
