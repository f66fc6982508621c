//! The Step Functions interpreters that a stack's workflow runs on.

use anyhow::{Context, Result};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::StateMachineType;

use crate::deploy::Deployment;
use crate::stack::{LocalAws, sdk_config};

/// Which interpreter runs the workflow. Everything else of the stack is the same on both: functions, buckets, log groups, the stand-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// ministack's own, which the stack is deployed to.
    #[default]
    Ministack,
    /// moto's, which is LocalStack's: given what was deployed, it calls the functions, the topic and CloudWatch Logs through the stand-in.
    Moto,
}

impl LocalAws {
    pub fn engine(&self) -> Engine {
        if self.moto().is_some() { Engine::Moto } else { Engine::Ministack }
    }

    /// A client of the Step Functions that the workflow runs on.
    pub fn step_functions(&self) -> Client {
        match self.moto() {
            Some(moto) => Client::new(&sdk_config(&format!("http://{}", moto.addr()), self.region(), self.account_id())),
            None => Client::new(&self.sdk_config()),
        }
    }

    /// Puts the deployed state machines on the second engine, if the workflow runs there.
    pub(crate) async fn hand_over_state_machines(&self, mut deployment: Deployment) -> Result<Deployment> {
        if self.engine() == Engine::Moto {
            for arn in [&mut deployment.state_machine_arn, &mut deployment.compact_state_machine_arn] {
                *arn = self.hand_over_state_machine(arn).await?;
            }
        }
        Ok(deployment)
    }

    async fn hand_over_state_machine(&self, arn: &str) -> Result<String> {
        let deployed = Client::new(&self.sdk_config()).describe_state_machine().state_machine_arn(arn).send().await;
        let deployed = deployed.context("cannot read a deployed state machine")?;
        let machine = self.step_functions().create_state_machine().name(deployed.name).definition(deployed.definition);
        let created = machine.role_arn(deployed.role_arn).r#type(StateMachineType::Standard).send().await;
        Ok(created.context("moto refuses a state machine")?.state_machine_arn)
    }
}
