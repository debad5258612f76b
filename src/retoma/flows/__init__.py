"""Flows: directories of nodes that ask, tell and branch. Here they are read, checked and stepped through."""

from __future__ import annotations

from retoma.flows.condition import ConditionError
from retoma.flows.graph import edges, graph
from retoma.flows.load import load, parse, read_files
from retoma.flows.model import Flow, Node, Problem
from retoma.flows.step import PASSING_NODES, meets, proceed, show, signal, start, step
from retoma.flows.template import TemplateError
from retoma.flows.validate import check, validate

__all__ = [
    "PASSING_NODES",
    "ConditionError",
    "Flow",
    "Node",
    "Problem",
    "TemplateError",
    "check",
    "edges",
    "graph",
    "load",
    "meets",
    "parse",
    "proceed",
    "read_files",
    "show",
    "signal",
    "start",
    "step",
    "validate",
]
