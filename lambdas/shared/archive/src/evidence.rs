//! One loop: asks [`decide`](export_core::decide::decide), and fetches what it needs.

use export_core::{
    ExportError,
    decide::{Decision, Evidence, Need, Question, decide},
};

use crate::{Archive, ManifestIndex};

impl Archive {
    /// The verdicts, with the evidence that they stand on. What `evidence` has already is not fetched again; `index` saves a listing.
    pub async fn decide(
        &self,
        question: &Question<'_>,
        mut evidence: Evidence,
        index: Option<&ManifestIndex>,
    ) -> Result<(Vec<Decision>, Evidence), ExportError> {
        loop {
            let need = match decide(question, &evidence) {
                Ok(decisions) => return Ok((decisions, evidence)),
                Err(need) => need,
            };
            let log_group = &question.place.log_group;
            match need {
                Need::Manifests => {
                    // Only what a new export is compared with is looked at stream by stream.
                    let tells_streams = evidence.export.is_some();
                    evidence.manifests = Some(self.overlapping_manifests(question, index, tells_streams).await?);
                }
                Need::LogGroup => evidence.log_group = Some(self.log_group(log_group).await?),
                Need::NewestEvent => {
                    evidence.newest_event = Some(self.newest_event(log_group, question.newest_event_matters_since()).await?);
                }
                Need::Stream => {
                    evidence.has_stream = Some(self.has_stream(log_group, question.stream_prefix).await?);
                }
                Need::AnyEvent => evidence.any_event = Some(self.any_event(log_group, question.stream_prefix, question.window).await?),
                Need::OldestTask => evidence.oldest_task = Some(self.oldest_task(question, index).await?),
            }
        }
    }
}
