//! PinterestStreamingJob: what it becomes at each stage, and its status. Pure.

mod machine;
mod status;
#[cfg(test)]
mod tests;

use hermez_kinds::TranslateError;
use hermez_kinds::names::SAVEPOINT_ANNOTATION;
use hermez_kinds::streamingjob::{
    Engine, Memory, PinterestStreamingJob, PinterestStreamingJobSpec, PinterestStreamingJobStatus,
    Stage, Start, revision, translate_start,
};

use super::{Outside, Plan, Seen};
pub(super) use status::status;

/// What a streaming job should become now.
pub(super) fn plan(
    seen: &Seen<'_>,
    job: &PinterestStreamingJob,
    outside: &Outside,
) -> Result<Plan, TranslateError> {
    let (metadata, spec) = (&job.metadata, &job.spec);
    let wanted = revision(metadata, spec, seen.profile)?;
    if spec.engine != Engine::Flink {
        let start = Start {
            number: 1,
            job_id: "",
            from: None,
            revision: &wanted,
            runs: !spec.suspend,
        };
        return Ok(Plan {
            objects: translate_start(metadata, spec, seen.profile, &start)?,
            ..Plan::default()
        });
    }
    let mut before: PinterestStreamingJobStatus = seen.before();
    let annotations = metadata.annotations.as_ref();
    let memory = before.memory.as_ref();
    let is_of = |of: &str| memory.is_some_and(|memory| memory.attempt.job_id == of);
    let input = machine::Input {
        uid: metadata.uid.as_deref().unwrap_or_default(),
        spec,
        revision: &wanted,
        seen: outside.flink.as_ref().filter(|seen| is_of(&seen.of)),
        known_state: known_state(&before),
        known_savepoint: before
            .last_savepoint
            .as_ref()
            .map(|savepoint| savepoint.path.as_str()),
        asked: annotations
            .and_then(|annotations| annotations.get(SAVEPOINT_ANNOTATION))
            .map(String::as_str),
        now: seen.now,
    };
    let next = machine::step(&input, memory);
    // What runs is the attempt's version, which may not be the wanted one.
    let running: PinterestStreamingJobSpec =
        serde_json::from_value(next.memory.attempt.version.spec.clone())
            .unwrap_or_else(|_| spec.clone());
    let attempt = &next.memory.attempt;
    let start = Start {
        number: attempt.number,
        job_id: &attempt.job_id,
        from: attempt.from.as_deref(),
        revision: &attempt.version.revision,
        runs: next.memory.stage != Stage::Suspended,
    };
    let objects = translate_start(metadata, &running, seen.profile, &start)?;
    let again_after = machine::again_after(&next.memory);
    let is_new = before.memory.as_ref() != Some(&next.memory) || next.savepoint.is_some();
    let status = is_new.then(|| {
        before.stage = Some(next.memory.stage);
        before.memory = Some(next.memory.clone());
        if next.savepoint.is_some() {
            before.last_savepoint = next.savepoint;
        }
        serde_json::to_value(&before)
            .unwrap_or_else(|error| unreachable!("a status is plain data: {error}"))
    });
    Ok(Plan {
        objects,
        status,
        again_after,
        notes: next.notes,
        ..Plan::default()
    })
}

/// The newest state of the running attempt that an earlier look told of.
fn known_state(status: &PinterestStreamingJobStatus) -> Option<&str> {
    let memory: &Memory = status.memory.as_ref()?;
    let of = &status.job.as_ref()?.id;
    let checkpoint = status.last_checkpoint.as_ref()?;
    (*of == memory.attempt.job_id).then_some(checkpoint.path.as_deref()?)
}
