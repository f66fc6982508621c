"""Lets conditions of ministack's CloudFormation have Fn::Split and Fn::FindInMap, which it passes over. The stack's name is unknown there."""

import sys

FUNCTIONS = {"Fn::Select", "Fn::Split", "Fn::FindInMap"}


def correct() -> None:
    from ministack.services.cloudformation import engine

    evaluate = engine._evaluate_conditions

    def evaluate_resolved(template: dict, params: dict) -> dict:
        def resolved(value: object) -> object:
            if isinstance(value, list):
                return [resolved(each) for each in value]
            if not isinstance(value, dict):
                return value
            if FUNCTIONS.intersection(value):
                return engine._resolve_refs(value, {}, params, {}, template.get("Mappings", {}), "", "")
            return {name: resolved(each) for name, each in value.items()}

        return evaluate(template | {"Conditions": resolved(template.get("Conditions", {}))}, params)

    # Several modules have imported it by its name.
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack.services.cloudformation") and getattr(module, "_evaluate_conditions", None) is evaluate:
            module._evaluate_conditions = evaluate_resolved
