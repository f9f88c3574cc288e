//! Which pushes this server follows, so that none is followed twice at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hermez_store::PushRecord;

/// The pushes that this server follows now; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Following(Arc<Mutex<HashSet<PushRecord>>>);

/// A push that is followed until this is dropped.
#[derive(Debug)]
pub struct Followed {
    push: PushRecord,
    all: Following,
}

impl Following {
    /// Takes a push to be followed; nothing where it is followed already.
    pub fn begin(&self, push: PushRecord) -> Option<Followed> {
        if self.pushes().insert(push.clone()) {
            let all = self.clone();
            Some(Followed { push, all })
        } else {
            None
        }
    }

    fn pushes(&self) -> MutexGuard<'_, HashSet<PushRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    /// The push.
    pub fn push(&self) -> &PushRecord {
        &self.push
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.all.pushes().remove(&self.push);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_followed_once_at_a_time() {
        let following = Following::default();
        let push = |commit: &str| PushRecord {
            repository_id: 1,
            branch: "main".to_owned(),
            commit: commit.to_owned(),
        };
        let first = following.begin(push("a")).expect("nobody follows it");
        assert!(following.begin(push("a")).is_none());
        assert!(following.begin(push("b")).is_some(), "another commit");
        drop(first);
        assert!(following.begin(push("a")).is_some());
    }
}
