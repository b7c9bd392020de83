"""What attacks find on the last checkpoint of every network of table 1."""


rule attack:
    """Attack one network by PGD at every eps of table 1."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/attack.npz",
        code=sources("attack"),
    output:
        table="<results>/attack/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/attack/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/attack/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("attack"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: for_network("threads")
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("attack"),
    params:
        **by_name(
            code=resting("attack", "attack"),
            epoch=last_epoch,
            eps=lambda wildcards: config["attack"]["eps"][wildcards.dataset],
            step=config["attack"]["step"],
            iterations=for_network("attack.iterations"),
            loss=config["attack"]["loss"],
            gradient_floor=config["attack"]["gradient_floor"],
            averaged_over=config["attack"]["averaged_over"],
            start=config["attack"]["start"],
            attack_seed=attack_seed(),
        ),
    message:
        "Attack {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/attack.py"


rule attack_strong:
    """Attack one network in three ways at every eps of table 1, none with a floor under its gradients."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/attack.npz",
        code=sources("attack_strong"),
    output:
        table="<results>/strong/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/strong/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/strong/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("strong"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: for_network("threads")
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("attack_strong"),
    params:
        **by_name(
            code=resting("attack_strong", "attack"),
            epoch=last_epoch,
            eps=lambda wildcards: config["attack"]["eps"][wildcards.dataset],
            step=config["attack"]["step"],
            iterations=for_network("strong.iterations"),
            distance_steps=for_network("bracket.steps"),
        ),
    message:
        "Attack {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}, in three ways."
    script:
        "../workflow_scripts/attack_strong.py"


rule masking:
    """Attack one network, made more and more confident, under several floors."""
    input:
        checkpoints="<results>/train/{dataset}/{model}/{method}/seed{seed}/checkpoints.safetensors",
        points="<results>/points/{dataset}/{model}/attack.npz",
        code=sources("masking"),
    output:
        table="<results>/masking/{dataset}/{model}/{method}/seed{seed}.csv",
    log:
        "<logs>/masking/{dataset}/{model}/{method}/seed{seed}.log",
    benchmark:
        "<logs>/masking/{dataset}/{model}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=unless_put_back("masking"),
        model="|".join(NETWORKS),
    conda:
        "../envs/main.yaml"
    threads: for_network("threads")
    resources:
        gpu=GPU,
        mem_mb=network_memory,
        runtime=runtime("masking"),
    params:
        **by_name(
            code=resting("masking", "attack"),
            epoch=last_epoch,
            eps=lambda wildcards: config["attack"]["eps"][wildcards.dataset][-1],
            step=config["attack"]["step"],
            iterations=for_network("attack.iterations"),
            start=config["attack"]["start"],
            attack_seed=attack_seed(),
            subset=for_network("masking.points"),
            floors=config["masking"]["floors"],
            factors=config["masking"]["factors"],
        ),
    message:
        "Mask the gradients of {wildcards.model} on {wildcards.dataset} with {wildcards.method}, seed {wildcards.seed}."
    script:
        "../workflow_scripts/masking.py"
