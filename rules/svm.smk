"""The hard-margin SVM on digits 0 and 1, the reference of figure 1."""


rule svm:
    input:
        data="<results>/data/mnist01.npz",
        points="<results>/points/mnist01/margins.npz",
        code=sources("checkpoints", "data", "margins", "svm"),
    output:
        "<results>/svm/mnist01.csv",
    log:
        "<logs>/svm/mnist01.log",
    conda:
        "../envs/main.yaml"
    threads: 1
    resources:
        mem_mb=2500,
    message:
        "Fit the hard-margin SVM on digits 0 and 1."
    script:
        "../workflow_scripts/svm.py"
