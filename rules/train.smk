"""Training: one job a run."""


rule train:
    """Train one network and keep its weights at the configured epochs (of a linear model at every one)."""
    input:
        data="<results>/data/{dataset}.npz",
        code=sources("train"),
    output:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        curve="<results>/train/{dataset}/{model}/{method}/seed{seed}/curve.csv",
        record="<results>/train/{dataset}/{model}/{method}/seed{seed}/run.json",
    log:
        "<logs>/train/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/train/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("train"),
    conda:
        "../envs/main.yaml"
    threads: for_network("threads")
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("train"),
    params:
        **by_name(
            code=resting("train"),
            objective=objective,
            epochs=for_network("training.epochs"),
            keep=kept_epochs,
            dropout=lambda wildcards: config["training"]["dropout"] if wildcards.model == "cnn" else 0,
            sgd=lambda wildcards: sgd_of(config, wildcards.dataset, wildcards.model),
        ),
    message:
        "Train {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/train.py"
