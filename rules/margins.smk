"""Margins of the evaluated points, and what tells how far they can be trusted."""


rule margins_linear:
    """Compute the exact margins of a linear model at every epoch."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/margins.npz",
        code=sources("margins_linear"),
    output:
        table="<results>/margins/{dataset}/{model}/{method}/seed{seed}/points.csv",
        summary="<results>/margins/{dataset}/{model}/{method}/seed{seed}/summary.csv",
    log:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("margins"),
        model="|".join(LINEAR),
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        **by_name(
            code=resting("margins_linear", "margins"),
            epochs=for_network("checkpoints"),
        ),
    message:
        "Compute the exact margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method} at every epoch."
    script:
        "../workflow_scripts/margins_linear.py"


rule margins:
    """Sample the margins of one network at one checkpoint."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/margins.npz",
        code=sources("margins"),
    output:
        table="<results>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.csv",
    log:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.log",
    benchmark:
        "<logs>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("margins"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: sampling_threads
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("margins"),
    params:
        **by_name(
            code=resting("margins", "margins"),
            radius=config["margins"]["radius"],
            samples=for_network("margins.samples"),
            drawn=for_network("margins.drawn"),
            precision=config["margins"]["precision"],
            margins_seed=config["margins"]["seed"],
        ),
    message:
        "Sample the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method} at epoch {wildcards.epoch}."
    script:
        "../workflow_scripts/margins.py"


rule bracket:
    """Find the distance at which an attack crosses the boundary, which no margin may exceed."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/margins.npz",
        code=sources("bracket"),
    output:
        table="<results>/bracket/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/bracket/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/bracket/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("bracket"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: for_network("threads")
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("bracket"),
    params:
        **by_name(
            code=resting("bracket", "margins"),
            epochs=lambda wildcards: measured_epochs(config, wildcards),
            steps=for_network("bracket.steps"),
        ),
    message:
        "Bracket the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/bracket.py"


rule convergence:
    """Estimate the margins of one network from ever more samples."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/margins.npz",
        code=sources("convergence"),
    output:
        table="<results>/convergence/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/convergence/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/convergence/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("convergence"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: sampling_threads
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("convergence"),
    params:
        **by_name(
            code=resting("convergence", "margins"),
            epoch=last_epoch,
            subset=for_network("convergence.points"),
            radius=config["margins"]["radius"],
            samples=for_network("margins.samples"),
            drawn=for_network("convergence.drawn"),
            precision=config["margins"]["precision"],
            margins_seed=config["margins"]["seed"],
        ),
    message:
        "Follow the margins of {wildcards.model} on {wildcards.dataset} with {wildcards.method} over growing samples."
    script:
        "../workflow_scripts/convergence.py"


rule svm:
    """Fit the hard-margin SVM on digits 0 and 1, the reference of figure 1."""
    input:
        data="<results>/data/mnist01.npz",
        points="<results>/points/mnist01/lr/margins.npz",
        code=sources("svm"),
    output:
        table="<results>/svm/mnist01.csv",
    log:
        "<logs>/svm/mnist01.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=2500,
    params:
        **by_name(code=content("svm")),
    message:
        "Fit the hard-margin SVM on digits 0 and 1."
    script:
        "../workflow_scripts/svm.py"
