"""Corrects what ministack 1.5.33 does otherwise than CloudFormation with the resources of a nested stack."""

from collections.abc import Callable

from ministack.services import cloudformation
from ministack.services.cloudformation import engine, provisioners

RETAINING = ("Retain", "RetainExceptOnCreate")


def correct() -> None:
    provisioners._update_resource = _keeping_attributes(provisioners._update_resource)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::Stack"]
    handlers["delete"] = _retaining(handlers["delete"])
    # A nested stack is the only one that looks the parser up when it is made; its template is not transformed otherwise.
    parse = engine._parse_template
    engine._parse_template = lambda body: engine._apply_transforms(parse(body))


def _keeping_attributes(update_resource: Callable) -> Callable:
    """An update of a nested stack forgets the attributes of the resources that it does not change, so that the next Fn::GetAtt fails."""

    def update(resource_type: str, physical_id: str, old_props: dict, new_props: dict, stack_name: str, logical_id=None, old_attrs=None):
        if old_attrs is None:
            resources = cloudformation._stacks.get(stack_name, {}).get("_resources", {})
            old_attrs = resources.get(logical_id, {}).get("Attributes")
        return update_resource(resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs)

    return update


def _retaining(delete_stack: Callable) -> Callable:
    """The deletion of a nested stack looks at no DeletionPolicy."""

    def delete(physical_id: str, props: dict) -> None:
        stack = cloudformation._stacks.get(provisioners._nested_stack_lookup_name(physical_id), {})
        for logical_id, definition in stack.get("_template", {}).get("Resources", {}).items():
            if definition.get("DeletionPolicy") in RETAINING:
                stack["_resources"].pop(logical_id, None)
        delete_stack(physical_id, props)

    return delete
