"""Lets SimulatePrincipalPolicy find the policies of a role that has a path, and judge conditions by the context that is given."""


def correct() -> None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    gather = iam_evaluator._gather_role_policies
    simulate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"]
    evaluate = iam_evaluator.evaluate
    context: dict[str, str] = {}

    def simulate_principal_policy(params: dict) -> tuple:
        context.clear()
        number = 1
        while key := iam._p(params, f"ContextEntries.member.{number}.ContextKeyName"):
            context[key.lower()] = iam._p(params, f"ContextEntries.member.{number}.ContextKeyValues.member.1")
            number += 1
        try:
            return simulate(params)
        finally:
            context.clear()

    def evaluate_in_context(request: object, *policies: list) -> object:
        if context:
            request.service_context.update(context)
        return evaluate(request, *policies)

    iam_evaluator._gather_role_policies = lambda role, account: gather(role.rpartition("/")[2], account)
    iam_evaluator.evaluate = evaluate_in_context
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate_principal_policy
