//! What passes between a server and what it changes, and the trap that kills the server there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Notify;

/// On which side of an effect the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the request is passed on: the effect does not happen.
    Before,
    /// After it was answered, before the answer is passed back: it has happened, and nobody knows.
    After,
}

/// Where the server is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The effect, as [`Tap::passes`] names it.
    pub effect: String,
    /// On which side of it.
    pub side: Side,
}

/// What is to be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on.
    Pass,
    /// The server is dead: the request never arrives.
    Drop,
    /// Pass it on, call [`Tap::spring`] when it is answered, and keep the answer.
    PassThenKill,
}

#[derive(Default)]
struct State {
    seen: Vec<String>,
    trap: Option<Point>,
    process: Option<u32>,
    sprung: bool,
}

/// Sees every effect of one server, in order.
#[derive(Default)]
pub struct Tap {
    state: Mutex<State>,
    sprung: Notify,
}

impl Tap {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was seen, and sets a trap for the server with this process, or none.
    pub fn arm(&self, trap: Option<Point>, process: Option<u32>) {
        let mut state = self.state();
        *state = State {
            trap,
            process,
            ..State::default()
        };
    }

    /// The effects that have passed since the trap was set, each once, in order.
    pub fn seen(&self) -> Vec<String> {
        self.state().seen.clone()
    }

    /// An effect is about to happen: it is noted, and is the trap's if the trap waits for it.
    pub fn passes(&self, effect: &str) -> Verdict {
        let mut state = self.state();
        if !state.seen.iter().any(|seen| seen == effect) {
            state.seen.push(effect.to_owned());
        }
        let Some(trap) = state.trap.take_if(|trap| trap.effect == effect) else {
            return Verdict::Pass;
        };
        match trap.side {
            Side::Before => {
                drop(state);
                self.spring();
                Verdict::Drop
            }
            Side::After => Verdict::PassThenKill,
        }
    }

    /// Kills the server.
    pub fn spring(&self) {
        let mut state = self.state();
        let process = state.process.take().and_then(|it| i32::try_from(it).ok());
        if let Some(process) = process {
            // It is reaped by whoever waits for the trap.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            state.sprung = true;
            self.sprung.notify_one();
        }
    }

    /// Waits until the trap has killed the server.
    pub async fn has_sprung(&self) {
        loop {
            let sprung = self.sprung.notified();
            if self.state().sprung {
                return;
            }
            sprung.await;
        }
    }

    /// Whether the trap has killed the server.
    pub fn is_sprung(&self) -> bool {
        self.state().sprung
    }
}
