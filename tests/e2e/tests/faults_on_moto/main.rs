//! The scenarios of `faults` once more, on the second Step Functions engine.

const ENGINE: local_aws::Engine = local_aws::Engine::Moto;

#[path = "../faults/abandoned.rs"]
mod abandoned;
#[path = "../faults/archive.rs"]
mod archive;
#[path = "../faults/lost_answers.rs"]
mod lost_answers;
#[path = "../faults/outages.rs"]
mod outages;
#[path = "../faults/runs.rs"]
mod runs;
#[path = "../faults/stage.rs"]
mod stage;
#[path = "../faults/tasks.rs"]
mod tasks;
