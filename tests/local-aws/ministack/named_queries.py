"""Lets ministack's CloudFormation make saved queries of Athena, a type that it refuses."""

import json


def correct() -> None:
    from ministack.services import athena
    from ministack.services.cloudformation import provisioners

    def create(logical_id: str, properties: dict, stack_name: str) -> tuple:
        _, _, body = athena._create_named_query(properties)
        return json.loads(body)["NamedQueryId"], {}

    def delete(query_id: str, properties: dict) -> None:
        athena._delete_named_query({"NamedQueryId": query_id})

    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {"create": create, "delete": delete}
