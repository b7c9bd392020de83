"""The last line of every script: its `main`, called with what the rule names."""

from inspect import Parameter, signature

from report.results import Run
from workflow_scripts.common.job import log_to


def call(main, snakemake):
    """Call `main` with the rule's input, output, params and wildcards, each under the name that it has there.

    `run` is the Run of the wildcards; device, source and root are the config's, for they decide where a job works, not
    what comes of it, and so are no params. Of these, the wildcards and `code`, the rule's list of files (the param of
    that name is for Snakemake alone), `main` gets those that it names. Another name that only the rule or only `main`
    knows is an error.
    """
    log_to(snakemake.log[0])
    main(**arguments(main, snakemake))


def arguments(main, snakemake):
    """Return the arguments of `main` by name; TypeError where the rule's names are not those of `main`."""
    files = [(name, plain(paths)) for part in (snakemake.input, snakemake.output) for name, paths in part.items()]
    wildcards = {name: int(text) if text.isdigit() else text for name, text in snakemake.wildcards.items()}
    given = dict(files)
    code = given.pop("code", [])
    for _, named in snakemake.params.items():  # each as {its name: its value}
        given |= named
    given.pop("code", None)  # the digest
    taken = signature(main).parameters
    config = getattr(snakemake, "config", {})
    offered = wildcards | {"code": code, "run": Run(*map(wildcards.get, Run._fields)), **config.get("data", {})}
    offered |= {"device": config["device"]} if "device" in config else {}
    given |= {name: offered[name] for name in taken if name in offered and name not in given}
    open_ended = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values())
    wanted = {name for name, p in taken.items() if p.default is Parameter.empty and p.kind is not Parameter.VAR_KEYWORD}
    odd = (wanted - given.keys()) | (set() if open_ended else given.keys() - taken.keys())
    if odd:
        raise TypeError(f"rule {snakemake.rule} and {main.__module__}.main differ in {', '.join(sorted(odd))}")
    return given


def plain(paths):
    return paths if isinstance(paths, str) else [*paths]
