"""What a floor under the attack's gradients does to the measured robustness of networks of growing confidence."""


rule masking:
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/attack.npz",
        code=sources("checkpoints", "data", "models", "gradients", "backward", "checks", "attacks"),
    output:
        "<results>/masking/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/masking/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/masking/{dataset}/{model}/{method}/seed{seed}.tsv"
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
        eps=lambda wildcards: config["attack"]["eps"][wildcards.dataset][-1],
        step=config["attack"]["step"],
        iterations=config["attack"]["iterations"],
        masking=config["masking"],
        seed=config["points"]["seed"],
        device=config["device"],
    message:
        "Mask the gradients of {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/masking.py"
