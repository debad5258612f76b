"""Flows: directories of nodes that ask, tell and branch. Here they are read, checked and stepped through."""

from __future__ import annotations

from retoma.flows.edit import GOES_ON, Edited, take_over, take_up
from retoma.flows.files import Look, Unsettled
from retoma.flows.graph import edges, graph
from retoma.flows.load import Directory, load, parse, read_files, with_warnings
from retoma.flows.model import Flow, Node
from retoma.flows.secret import SecretNeeded
from retoma.flows.step import (
    INTERRUPT,
    PASSING_NODES,
    handler,
    proceed,
    restart,
    settle,
    show,
    signal,
    start,
    stay,
    step,
)
from retoma.flows.validate import check, validate
from retoma.programs.allow_list import Tool
from retoma.template.condition import ConditionError
from retoma.template.template import TemplateError
from retoma.trees.problem import Problem

__all__ = [
    "GOES_ON",
    "INTERRUPT",
    "PASSING_NODES",
    "ConditionError",
    "Directory",
    "Edited",
    "Flow",
    "Look",
    "Node",
    "Problem",
    "SecretNeeded",
    "TemplateError",
    "Tool",
    "Unsettled",
    "check",
    "edges",
    "graph",
    "handler",
    "load",
    "parse",
    "proceed",
    "read_files",
    "restart",
    "settle",
    "show",
    "signal",
    "start",
    "stay",
    "step",
    "take_over",
    "take_up",
    "validate",
    "with_warnings",
]
