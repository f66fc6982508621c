"""Lets SimulatePrincipalPolicy find the policies of a role that has a path, judge conditions by the context that is given, and heed the
role's permissions boundary."""


def correct() -> None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    gather = iam_evaluator._gather_role_policies
    simulate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"]
    evaluate = iam_evaluator.evaluate
    context: dict[str, str] = {}
    limits: list = []
    refused_by_boundary: list[str] = []

    def simulate_principal_policy(params: dict) -> tuple:
        number = 1
        while key := iam._p(params, f"ContextEntries.member.{number}.ContextKeyName"):
            context[key.lower()] = iam._p(params, f"ContextEntries.member.{number}.ContextKeyValues.member.1")
            number += 1
        arn = iam._p(params, "PolicySourceArn")
        if ":role/" in arn:
            limits.extend(iam_evaluator._permissions_boundary(iam._roles, arn.rpartition("/")[2], arn.split(":")[4]))
        try:
            status, headers, body = simulate(params)
            text = body.decode() if isinstance(body, bytes) else body
            detail = "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
            for action in iam._extract_simulate_params(params)[0] if limits else []:
                name = f"<EvalActionName>{action}</EvalActionName>"
                text = text.replace(name, name + detail.format("false" if action in refused_by_boundary else "true"))
            return status, headers, text.encode() if isinstance(body, bytes) else text
        finally:
            for state in (context, limits, refused_by_boundary):
                state.clear()

    def evaluate_in_context(request: object, *policies: list) -> object:
        if context:
            request.service_context.update(context)
        if limits and evaluate(request, *limits).decision != "Allow":
            refused_by_boundary.append(request.action)
        return evaluate(request, *policies, *limits)

    iam_evaluator._gather_role_policies = lambda role, account: gather(role.rpartition("/")[2], account)
    iam_evaluator.evaluate = evaluate_in_context
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate_principal_policy
