"""Studies: several arms, each with several seeds. Every run is an ordinary run in its own process.

    study = run_study([Arm("dqn", "dqn,chain"), Arm("double", "dqn,double,chain")], range(3), "runs/double")
    print(markdown_table(summarise(study.results)))

`read_study` reads the results of an earlier study. scipy, matplotlib and rich are imported only when first used.
"""

from framework.study.arms import Arm, CheckedArm, ablation, check_arm
from framework.study.figures import draw_curves, draw_summary
from framework.study.improvement import Probability, probability_of_improvement
from framework.study.progress import Failure
from framework.study.report import markdown_table, write_report
from framework.study.results import Curve, RunResult, read_run, read_study
from framework.study.statistics import Estimate, Summary, estimate, interquartile_mean, summarise
from framework.study.study import Study, run_checked, run_study

__all__ = [
    "Arm",
    "CheckedArm",
    "Curve",
    "Estimate",
    "Failure",
    "Probability",
    "RunResult",
    "Study",
    "Summary",
    "ablation",
    "check_arm",
    "draw_curves",
    "draw_summary",
    "estimate",
    "interquartile_mean",
    "markdown_table",
    "probability_of_improvement",
    "read_run",
    "read_study",
    "run_checked",
    "run_study",
    "summarise",
    "write_report",
]
