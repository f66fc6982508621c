//! What both programs begin with, step by step before a person's eyes: environment, functions, local AWS, stack.

use anyhow::Result;

use crate::deploy::{DeployOptions, Deployment};
use crate::functions::{self, CargoMessages, FUNCTIONS};
use crate::progress::Progress;
use crate::stack::{LocalAws, Options};
use crate::venv;

pub async fn set_up(progress: &Progress, options: &Options) -> Result<(LocalAws, Deployment)> {
    progress
        .step("Python environment", async {
            let python = venv::python(&venv::MINISTACK).await?;
            Ok(((), python.display().to_string()))
        })
        .await?;
    progress
        .step_with_own_output("Functions", async {
            functions::build(CargoMessages::Shown).await?;
            Ok(((), format!("{} built", FUNCTIONS.join(", "))))
        })
        .await?;
    let local = progress
        .step("Local AWS", async {
            let local = LocalAws::start(options).await?;
            let listens = format!("listens on {}", local.endpoint());
            Ok((local, listens))
        })
        .await?;
    let deployment = progress
        .step("Stack", async {
            let deployment = local.deploy(&DeployOptions::default()).await?;
            Ok((deployment, "infra/template.yaml deployed through CloudFormation".to_owned()))
        })
        .await?;
    Ok((local, deployment))
}
