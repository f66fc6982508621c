//! Asks [`decide`](export_core::decide::decide) in a loop, and fetches the evidence that it needs.

use export_core::{
    ExportError,
    decide::{Decision, Evidence, Need, Question, decide},
};

use crate::{Archive, ManifestIndex};

impl Archive {
    /// The verdicts, and the evidence behind them. Known evidence is not fetched again. `index` saves a listing.
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
            let target = question.target;
            let (log_group, stream_prefix) = (&target.place.log_group, target.stream_prefix.as_ref());
            match need {
                Need::Manifests => {
                    // Only a comparison with a new export needs the bytes of each log stream.
                    let counts_streams = evidence.export.is_some();
                    evidence.manifests = Some(self.overlapping_manifests(question, index, counts_streams).await?);
                }
                Need::LogGroup => evidence.log_group = Some(self.log_group(log_group).await?),
                Need::NewestEvent => {
                    evidence.newest_event = Some(self.newest_event(log_group, question.newest_event_matters_since()).await?);
                }
                Need::Stream => {
                    evidence.has_stream = Some(self.has_stream(log_group, stream_prefix).await?);
                }
                Need::EventSearch => {
                    evidence.event_search = Some(self.search_event(log_group, stream_prefix, target.window).await?);
                }
                Need::OldestTask => evidence.oldest_task = Some(self.oldest_task(question, index).await?),
            }
        }
    }
}
