"""Training: one job a run, checkpoints at the configured epochs (linear models: at every epoch)."""


rule train:
    input:
        data="<results>/data/{dataset}.npz",
        code=sources("data", "models", "objectives", "resume", "training"),
    output:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        curve="<results>/train/{dataset}/{model}/{method}/seed{seed}/curve.csv",
        run="<results>/train/{dataset}/{model}/{method}/seed{seed}/run.json",
    log:
        "<logs>/train/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/train/{dataset}/{model}/{method}/seed{seed}.tsv"
    conda:
        "../envs/main.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=2000,
    params:
        objective=objective,
        epochs=lambda wildcards: config["training"]["epochs"][wildcards.model],
        keep=kept_epochs,
        batch_size=lambda wildcards: config["training"]["batch_size"][wildcards.model],
        sgd={key: config["training"][key] for key in ("learning_rate", "momentum")},
        device=config["device"],
    message:
        "Train {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/train.py"
