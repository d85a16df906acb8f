"""The workloads by name; each module holds one model as every contender writes it."""

from benchmarks.workloads import chain, classifier, lesson8, logistic, tiny

WORKLOADS = {
    workload.name: workload
    for workload in (
        lesson8.WORKLOAD,
        lesson8.WITH_INPUT,
        classifier.WORKLOAD,
        tiny.WORKLOAD,
        logistic.WORKLOAD,
        chain.WORKLOAD,
    )
}
